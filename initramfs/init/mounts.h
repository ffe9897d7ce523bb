/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_MOUNTS_H
#define RIG_MOUNTS_H

/* /proc, /sys and /dev: what it takes to find the result channel. */
void mounts_first(void);

/* What programs expect of a system: more file systems, network loopback, host name, limits. What the kernel under test
 * does not have is passed over; what it has and refuses gets a note. */
void mounts_rest(void);

#endif
