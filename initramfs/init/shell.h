/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_SHELL_H
#define RIG_SHELL_H

#include "job.h"

/* Makes links to all that busybox can do, if there is a busybox. */
void shell_install(void);

/* An interactive shell on the console until it ends; the job's first step, if any, says which program and variables.
 * `port` is where the size of the user's terminal comes from, -1 for none. */
void shell_run(const struct job *job, int port);

#endif
