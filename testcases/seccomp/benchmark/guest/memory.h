/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a filter takes of the kernel's memory. */
#ifndef MEMORY_H
#define MEMORY_H

#include "plan.h"

void measure_memory(const struct plan *plan, const struct item *item, const char *name);

#endif
