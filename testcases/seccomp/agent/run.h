/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_RUN_H
#define RIG_RUN_H

#include "batch.h"

void run_batch(const struct batch *batch);

#endif
