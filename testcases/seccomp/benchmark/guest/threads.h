/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp() that takes the filter to all threads. */
#ifndef THREADS_H
#define THREADS_H

#include "plan.h"

void measure_tsync(const struct plan *plan, const struct item *item, const char *name);

#endif
