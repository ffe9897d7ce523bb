/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_CACHE_H
#define RIG_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether this kernel has such a file. */
bool cache_is_shown(void);

/*
 * Reads /proc/PID/task/TID/seccomp_cache and sends it as RECORD_CACHE: error, number of blocks, and for each block its name
 * (16 bytes), the count of its numbers and their bits (ALLOW is 1). A line that is not `NAME NR ALLOW|FILTER` with the number that
 * is due ends the record's blocks with error EBADMSG.
 */
void cache_report(uint32_t stack, uint32_t filter, pid_t pid, pid_t tid);

#endif
