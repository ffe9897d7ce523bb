/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gets rid of everything that a step has left running. */
#ifndef RIG_CLEAN_H
#define RIG_CLEAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Ready for SIGCHLD to end a wait_for(); it is blocked everywhere else. */
void clean_prepare(void);

/* Undoes that in a child. */
void clean_child(void);

struct pollfd;
/* Waits for one of the descriptors, for a child to end, for a heartbeat to be due (it is sent) or until `until`. */
void wait_for(struct pollfd *fds, int count, uint64_t until);

/* Collects dead children. True when `wanted` was among them; `status` is its. */
bool reap(pid_t wanted, int *status);

/* Kills every process but init and waits until they are gone. Returns how many are still there after `grace_ns`, not
 * counting those that an earlier call has given up; each gets a note. */
unsigned int kill_all(uint32_t step, uint64_t grace_ns);

/* Notes what each process is waiting for. */
void note_processes(uint32_t step, uint64_t grace_ns);

#endif
