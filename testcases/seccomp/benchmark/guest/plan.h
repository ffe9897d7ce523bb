/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to measure: the file that ../plan.py writes. Words of 32 bits, in the byte order of this machine. */
#ifndef PLAN_H
#define PLAN_H

#include <linux/filter.h>
#include <stdint.h>

#define NAME_SIZE 64

enum kind {
	KIND_CALL = 1,		/* a call below the stack, and nothing of the attach */
	KIND_ATTACH,		/* seccomp() for the newest of the stack */
	KIND_LADDER,		/* both, for 1, 2, 4 ... 32 copies of the one filter */
	KIND_FORK,		/* fork() below the stack */
	KIND_TSYNC,		/* seccomp() with thread synchronisation, `argument` threads beside */
	KIND_MEMORY,		/* what `argument` copies of the filter take */
	KIND_FIRST,		/* the very first call below the stack: whatever attaching left to be done later */
};

struct filter {
	uint32_t length;
	struct sock_filter *instructions;
};

struct item {
	char name[NAME_SIZE];
	uint32_t kind;
	uint32_t number;	/* of the system call */
	uint32_t argument;
	uint32_t depth;
	uint32_t *stack;	/* indexes of filters, the oldest first */
};

struct plan {
	uint32_t filter_count;
	struct filter *filters;
	uint32_t item_count;
	struct item *items;
};

/* Ends the program with a message if the file cannot be read. */
void plan_read(struct plan *plan, const char *path);

#endif
