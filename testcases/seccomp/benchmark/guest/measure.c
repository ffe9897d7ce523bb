// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What seccomp costs in guest instructions, or in wall time: all that the plan asks for, without and then with compiled
 * filters.
 * Each measurement has a child of its own, since a filter never comes off again.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counter.h"
#include "filters.h"
#include "memory.h"
#include "plan.h"
#include "threads.h"
#include "windows.h"

#define JIT_SWITCH "/proc/sys/net/core/bpf_jit_enable"
#define CHILDREN 2		/* samples of an attach in each pass, */
#define TIMED_CHILDREN 8	/* and of its wall time */
#define FORKS 6

static char label[2 * NAME_SIZE];
static const char *mode;

/* `[prefix/]name[/number]/mode`: the test and, behind the last slash, its figure; of which the next windows are. */
static const char *labelled(const char *prefix, const char *name, unsigned int number)
{
	char rung[16] = "";

	if (number)
		snprintf(rung, sizeof(rung), "/%u", number);
	snprintf(label, sizeof(label), "%s%s%s%s/%s", prefix, *prefix ? "/" : "", name, rung, mode);
	windows_of(label);
	return label;
}

static void call_body(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report)
{
	(void)pass;
	if (attach_stack(plan, item, 0, report))
		sample_call(item, &report->calls[0]);
}

static void attach_body(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report)
{
	uint64_t taken;

	if (!attach_stack(plan, item, 1, report))
		return;
	taken = timed_attach(&plan->filters[item->stack[item->depth - 1]], 0, &report->error);
	samples_add(&report->attaches[0], pass, taken);
}

static void first_body(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report)
{
	if (attach_stack(plan, item, 0, report))
		samples_add(&report->calls[0], pass, timed_call(item));
}

/* Calls are sampled in the first climb only: both of their passes lie in it. */
static void ladder_body(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report)
{
	const struct filter *filter = &plan->filters[item->stack[0]];
	unsigned int rung = 0;

	for (unsigned int depth = 1; depth <= 1u << (RUNGS - 1) && !report->error; depth++) {
		report->at = depth - 1;
		if (depth & (depth - 1)) {
			report->error = attach(filter, 0);
			continue;
		}
		labelled("attach", item->name, depth);
		samples_add(&report->attaches[rung], pass, timed_attach(filter, 0, &report->error));
		labelled("call", item->name, depth);
		if (!report->error && !report->calls[rung].taken[PASSES - 1])
			sample_call(item, &report->calls[rung]);
		rung++;
	}
}

static void fork_body(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report)
{
	if (!attach_stack(plan, item, 0, report))
		return;
	for (int i = 0; i < FORKS; i++) {
		uint64_t start;
		pid_t child;

		after_tick();
		window_begins();
		start = counter();
		child = fork();
		if (child == 0)
			_exit(0);
		samples_add(&report->calls[0], pass, cost_of(counter() - start - measurement_cost()));
		waitpid(child, NULL, 0);
	}
}

static void measure_call(const struct plan *plan, const struct item *item)
{
	struct report *report = new_report();
	const char *name = labelled("", item->name, 0);

	if (in_child(plan, item, name, 0, call_body, report))
		say_cost(name, &report->calls[0]);
}

/* `work` in several children for each pass; true if all went well. */
static int passes(const struct plan *plan, const struct item *item, child_work *work, int children, struct report *report)
{
	const char *name = labelled("", item->name, 0);

	for (unsigned int pass = 0; pass < PASSES; pass++)
		for (int i = 0; i < children; i++)
			if (!in_child(plan, item, name, pass, work, report))
				return 0;
	return 1;
}

static void measure_attach(const struct plan *plan, const struct item *item)
{
	struct report *report = new_report();

	if (passes(plan, item, attach_body, wall_rate() ? TIMED_CHILDREN : CHILDREN, report))
		say_smallest(labelled("", item->name, 0), cost_unit(), &report->attaches[0]);
}

static void measure_first(const struct plan *plan, const struct item *item)
{
	struct report *report = new_report();

	if (passes(plan, item, first_body, wall_rate() ? TIMED_CHILDREN : CHILDREN, report))
		say_smallest(labelled("", item->name, 0), cost_unit(), &report->calls[0]);
}

static void measure_ladder(const struct plan *plan, const struct item *item)
{
	struct report *report = new_report();

	if (!passes(plan, item, ladder_body, 1, report))
		return;
	for (unsigned int rung = 0; rung < RUNGS; rung++) {
		say_cost(labelled("call", item->name, 1u << rung), &report->calls[rung]);
		say_smallest(labelled("attach", item->name, 1u << rung), cost_unit(), &report->attaches[rung]);
	}
}

static void measure_fork(const struct plan *plan, const struct item *item)
{
	struct report *report = new_report();

	if (passes(plan, item, fork_body, 1, report))
		say_smallest(labelled("", item->name, 0), cost_unit(), &report->calls[0]);
}

static void measure(const struct plan *plan, const struct item *item)
{
	switch (item->kind) {
	case KIND_CALL:
		measure_call(plan, item);
		break;
	case KIND_ATTACH:
		measure_attach(plan, item);
		break;
	case KIND_LADDER:
		measure_ladder(plan, item);
		break;
	case KIND_FORK:
		measure_fork(plan, item);
		break;
	case KIND_TSYNC:
		measure_tsync(plan, item, labelled("", item->name, 0));
		break;
	case KIND_FIRST:
		measure_first(plan, item);
		break;
	case KIND_MEMORY:
		if (!wall_rate())
			measure_memory(plan, item, labelled("", item->name, 0));
		else
			say_skip(labelled("", item->name, 0), "memory is no time");
		break;
	default:
		say_wrong(item->name, "kind %u is not known here", item->kind);
	}
}

static int set_jit(const char *value)
{
	int file = open(JIT_SWITCH, O_WRONLY | O_CLOEXEC);
	int done = file >= 0 && write(file, value, 1) == 1;

	if (file >= 0)
		close(file);
	return done;
}

int main(int argc, char **argv)
{
	struct plan plan;
	int can_switch;

	if (argc != 2 && (argc != 3 || strcmp(argv[2], "wall")))
		errx(1, "usage: measure PLAN [wall]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	plan_read(&plan, argv[1]);
	if (argc == 3)
		samples_of_wall_time();
	windows_read();
	filters_prepare();
	can_switch = set_jit("0");
	for (uint32_t i = 0; i < plan.item_count && !windows_done(); i++) {
		mode = plan.items[i].depth ? "interpreted" : "unfiltered";
		measure(&plan, &plan.items[i]);
	}
	mode = "compiled";
	if (!can_switch || !set_jit("1")) {
		say_skip(mode, "%s cannot be written: no BPF compiler in this kernel", JIT_SWITCH);
		return 0;
	}
	for (uint32_t i = 0; i < plan.item_count && !windows_done(); i++)
		if (plan.items[i].depth)
			measure(&plan, &plan.items[i]);
	return 0;
}
