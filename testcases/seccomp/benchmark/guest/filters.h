/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attaching filters, in a child of its own that takes them with it when it ends. */
#ifndef FILTERS_H
#define FILTERS_H

#include <stdint.h>

#include "plan.h"
#include "samples.h"

#define RUNGS 6			/* 1, 2, 4, 8, 16, 32 */

/* What a child says to its parent; in shared memory, so that no filter stands in its way. */
struct report {
	int error;		/* of the first seccomp() that failed */
	uint32_t at;		/* and which */
	struct samples calls[RUNGS];
	struct samples attaches[RUNGS];
};

/* Before the first child: shared memory, and the cost of the measurement itself. */
void filters_prepare(void);

/* seccomp(SECCOMP_SET_MODE_FILTER); 0, an errno, or -1 if thread synchronisation failed. */
int attach(const struct filter *filter, unsigned int flags);

/* The cost of one attach; not to be used when `error` is set. */
uint64_t timed_attach(const struct filter *filter, unsigned int flags, int *error);

/* Attaches all of a stack but the last `left` filters; false, and the report filled, if one is refused. */
int attach_stack(const struct plan *plan, const struct item *item, uint32_t left, struct report *report);

/* The cost of one call, made once. */
uint64_t timed_call(const struct item *item);

/* Samples of one call. */
void sample_call(const struct item *item, struct samples *samples);

/*
 * Runs `work` in a child. False, and said so under the item's name, if it died or a filter was refused. The report is
 * cleared first if `fresh`, else the samples of further children are added to it.
 */
typedef void child_work(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report);
int in_child(const struct plan *plan, const struct item *item, const char *name, unsigned int pass, child_work *work,
	     struct report *report);

struct report *new_report(void);
uint64_t measurement_cost(void);

#endif
