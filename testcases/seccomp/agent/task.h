/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The task under test: it gives up its privileges, attaches a stack, makes the calls, and dies. */
#ifndef RIG_TASK_H
#define RIG_TASK_H

#include <stdbool.h>
#include <sys/types.h>

#include "batch.h"

#define MAX_CALLS 16384

struct task_call {
	enum door door;
	uint32_t nr;
	const uint64_t *args;
};

/*
 * What a task is to do, made before it is forked, and what it did, in memory that outlives it: by then it may be
 * forbidden to write anything anywhere.
 */
struct task {
	const struct stack *stack;
	bool traced;			/* stop by SIGSEGV after each filter */
	bool between;			/* make the calls between filters */
	int gate;			/* WAY_THREAD: the thread begins when this pipe can be read */
	unsigned int patience_ms;	/* longer than this it does not live */
	uint32_t count;
	struct task_call call[MAX_CALLS];
	struct shared *shared;
};

struct shared {
	volatile uint32_t tried;	/* filters that it has tried to attach */
	volatile uint32_t ready;	/* the calls have begun */
	volatile uint32_t next;		/* the call after the one that is being made */
	volatile uint32_t done;
	volatile pid_t tid;		/* of the thread that makes the calls */
	struct outcome attach[MAX_FILTERS];
	struct outcome between[MAX_BETWEEN];	/* of all the stack's, one after the other */
	struct outcome result[MAX_CALLS];
};

/* Once, by the parent. */
void task_init(void);

/* Whether a task or thread sleeps until something happens, or is stopped. */
bool task_waits(pid_t tid);

/* Starts at call shared->next. Never returns. */
_Noreturn void task_main(const struct task *task);

#endif
