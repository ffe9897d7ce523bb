/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that is saved behind init: what its copies are told when they wake up, on the result channel. */
#ifndef RIG_AWAIT_H
#define RIG_AWAIT_H

/*
 * Says WAITING and waits for the files of a job, however long that takes: in the meantime the guest is saved, and what
 * arrives comes to one of its copies. Unpacks them, makes what the kernel draws at random a copy's own, says WAITING again
 * and sets the clock by the answer. Does not return where any of it fails.
 */
void await_job(int port);

#endif
