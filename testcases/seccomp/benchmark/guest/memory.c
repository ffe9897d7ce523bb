// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel counts the pages of its allocators, not their objects, so many filters are attached and the difference is
 * divided. Each processor keeps a part of the counts to itself until vm.stat_refresh is written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filters.h"
#include "memory.h"
#include "samples.h"

static const char *const counters[] = { "Slab:", "VmallocUsed:", "Percpu:" };

#define SETTLED 300000		/* microseconds in which what earlier children left is given back */
#define COUNTERS (sizeof(counters) / sizeof(*counters))

/* Bytes in /proc/meminfo; 0 if it cannot be read. */
static uint64_t used(void)
{
	uint64_t total = 0;
	char line[128];
	FILE *file;

	file = fopen("/proc/sys/vm/stat_refresh", "w");
	if (!file)
		return 0;
	fputs("1", file);
	fclose(file);
	file = fopen("/proc/meminfo", "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		for (size_t i = 0; i < COUNTERS; i++)
			if (!strncmp(line, counters[i], strlen(counters[i])))
				total += strtoull(line + strlen(counters[i]), NULL, 10) * 1024;
	fclose(file);
	return total;
}

static void body(const struct plan *plan, const struct item *item, unsigned int pass, struct report *report)
{
	const struct filter *filter = &plan->filters[item->stack[0]];
	uint64_t before = used();

	if (!before) {
		report->error = ENOENT;
		return;
	}
	for (uint32_t i = 0; i < item->argument && !report->error; i++) {
		report->error = attach(filter, 0);
		report->at = i;
	}
	if (!report->error)
		samples_add(&report->calls[0], pass, (used() - before) / item->argument);
}

void measure_memory(const struct plan *plan, const struct item *item, const char *name)
{
	struct report *report = new_report();

	usleep(SETTLED);
	if (in_child(plan, item, name, 0, body, report))
		say_smallest(name, "bytes", &report->calls[0]);
}
