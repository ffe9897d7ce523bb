/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be done, from the file that testcases/seccomp/agent/batch.py writes. */
#ifndef RIG_BATCH_H
#define RIG_BATCH_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "call.h"
#include "stream.h"

#define MAX_FILTERS 256
#define MAX_BETWEEN 4096	/* calls between a stack's filters */

/* Numbers to call, all with the same arguments. */
struct table {
	enum door door;
	bool alone;			/* each in a task of its own */
	uint64_t args[6];
	uint32_t count;
	uint32_t *numbers;
	bool *unsafe;			/* by its number, in bulk */
	struct outcome *natural;	/* without a filter */
};

struct range {
	uint32_t first;
	uint32_t count;
};

/* A table under a stack, without the numbers that the host expects to end the process. */
struct work {
	uint32_t table;
	uint32_t skips;
	const struct range *skip;
};

struct single {
	enum door door;
	bool last;			/* made by the task that makes the calls in bulk, behind these */
	struct call call;
};

/* Calls to make once the filter of this index is there and the next one is not. */
struct between {
	uint32_t filter;
	const struct table *table;	/* its door and arguments */
	uint32_t count;
	uint32_t *numbers;
};

enum way {
	WAY_PLAIN,		/* attached and called by one task */
	WAY_THREAD,		/* attached with TSYNC, called by another thread */
	WAY_FORK,		/* called by a child of who attached */
	WAY_TRACER,		/* the task calls getppid, and its tracer makes the number another one */
	WAYS
};

struct stack {
	enum way way;
	uint32_t filters;
	struct sock_fprog *filter;
	uint32_t works;
	struct work *work;
	uint32_t singles;
	struct single *single;
	uint32_t betweens;
	struct between *between;
};

struct batch {
	uint32_t tables;
	struct table *table;
	uint32_t stacks;
	struct stack *stack;
};

/* Ends the program if the file is not what it should be. */
void batch_read(struct batch *batch, const char *path);

#endif
