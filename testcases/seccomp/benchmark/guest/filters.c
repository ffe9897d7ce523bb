// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counter.h"
#include "filters.h"
#include "windows.h"

#define CALLS 12		/* samples of a call in each pass; the first ones fill the TLB and the page tables */
#define BATCHES 10000		/* in a second of wall time, at most */

static struct report *shared;
static uint64_t cost;

void filters_prepare(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	cost = own_cost();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err(1, "PR_SET_NO_NEW_PRIVS");
}

uint64_t measurement_cost(void)
{
	return cost;
}

struct report *new_report(void)
{
	shared->error = 0;
	for (int i = 0; i < RUNGS; i++) {
		samples_clear(&shared->calls[i]);
		samples_clear(&shared->attaches[i]);
	}
	return shared;
}

int attach(const struct filter *filter, unsigned int flags)
{
	struct sock_fprog program = { .len = filter->length, .filter = filter->instructions };
	long done = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);

	return done < 0 ? errno : done > 0 ? -1 : 0;
}

uint64_t timed_attach(const struct filter *filter, unsigned int flags, int *error)
{
	uint64_t start, end;

	after_tick();
	window_begins();
	start = counter();
	*error = attach(filter, flags);
	end = counter();
	return cost_of(end - start - cost);
}

uint64_t timed_call(const struct item *item)
{
	uint64_t start, end;

	after_tick();
	window_begins();
	start = counter();
	raw_call(item->number, item->argument);
	end = counter();
	return cost_of(end - start - cost);
}

int attach_stack(const struct plan *plan, const struct item *item, uint32_t left, struct report *report)
{
	for (uint32_t i = 0; i + left < item->depth; i++) {
		report->error = attach(&plan->filters[item->stack[i]], 0);
		report->at = i;
		if (report->error)
			return 0;
	}
	return 1;
}

static uint64_t batch(const struct item *item, uint64_t calls)
{
	uint64_t start = counter();

	for (uint64_t i = 0; i < calls; i++)
		raw_call(item->number, item->argument);
	return counter() - start;
}

/* Of so many calls at once that neither a look at the counter nor its step shows. */
static void time_call(const struct item *item, struct samples *samples)
{
	uint64_t calls = 1;

	while (batch(item, calls) < wall_rate() / BATCHES)
		calls *= 2;
	for (unsigned int pass = 0; pass < PASSES; pass++)
		for (int i = 0; i < CALLS; i++)
			samples_add(samples, pass, cost_of(batch(item, calls)) / calls);
}

void sample_call(const struct item *item, struct samples *samples)
{
	if (wall_rate()) {
		time_call(item, samples);
		return;
	}
	for (unsigned int pass = 0; pass < PASSES; pass++) {
		for (int i = 0; i < CALLS; i++) {
			uint64_t start;

			window_begins();
			start = counter();
			raw_call(item->number, item->argument);
			samples_add(samples, pass, counter() - start - cost);
		}
	}
}

int in_child(const struct plan *plan, const struct item *item, const char *name, unsigned int pass, child_work *work,
	     struct report *report)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		work(plan, item, pass, report);
		syscall(SYS_exit_group, 0);
		__builtin_trap();	/* a filter that does not let it go must not let it go on either */
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		say_wrong(name, "no child: %s", strerror(errno));
		return 0;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		say_wrong(name, "its child ended with wait status 0x%x", status);
		return 0;
	}
	if (report->error) {
		say_wrong(name, "filter %u of the stack: %s", report->at,
			  report->error < 0 ? "threads did not follow" : strerror(report->error));
		return 0;
	}
	return 1;
}
