// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <linux/seccomp.h>
#include <pthread.h>
#include <unistd.h>

#include "filters.h"
#include "samples.h"
#include "threads.h"

#define CHILDREN 3		/* samples in each pass */
#define STACK_SIZE (64 * 1024)

static pthread_barrier_t ready;

static void *wait_for_ever(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
	return NULL;
}

static void body(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report)
{
	const struct filter *filter = &plan->filters[item->stack[item->depth - 1]];
	pthread_attr_t attributes;
	pthread_t thread;

	if (!attach_stack(plan, item, 1, report))
		return;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_barrier_init(&ready, NULL, item->argument + 1);
	for (uint32_t i = 0; i < item->argument && !report->error; i++)
		report->error = pthread_create(&thread, &attributes, wait_for_ever, NULL);
	if (report->error)
		return;
	pthread_barrier_wait(&ready);
	usleep(1000);	/* every thread gets as far as pause() */
	samples_add(&report->calls[0], pass, timed_attach(filter, SECCOMP_FILTER_FLAG_TSYNC, &report->error));
}

void measure_tsync(const struct plan *plan, const struct item *item, const char *name)
{
	struct report *report = new_report();

	for (unsigned int pass = 0; pass < PASSES; pass++)
		for (int i = 0; i < CHILDREN; i++)
			if (!in_child(plan, item, name, pass, body, report))
				return;
	say_smallest(name, cost_unit(), &report->calls[0]);
}
