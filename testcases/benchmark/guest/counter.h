/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counter(): guest instructions, read in user space. On a counted guest (guests/qemu/machine.py) an instruction takes 1 ns of
 * guest time, and the counters of the architectures run at 1 GHz: the TSC of QEMU always does, the arm ones because the machine's
 * file says so. On any other guest they are wall time, at a rate that has to be measured.
 *
 * mark() does nothing. A number of marks before a look at the counter tells QEMU's plugin (guests/tracer/windows.c) that a window
 * to be explained begins there, and which one it is.
 *
 * raw_call() is a system call without the C library around it: `number` as the ABI enters it, one argument, the rest as they are.
 */
#ifndef COUNTER_H
#define COUNTER_H

#include "abi.h"

#endif
