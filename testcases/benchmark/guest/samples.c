// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "counter.h"
#include "samples.h"

#define TICK_GAP 500		/* instructions between two looks at the counter that only an interrupt can explain */
#define TICK_PATIENCE 200000000	/* a kernel without a tick is not waited for */

void samples_clear(struct samples *samples)
{
	*samples = (struct samples){ .smallest = { UINT64_MAX, UINT64_MAX } };
}

void samples_add(struct samples *samples, unsigned int pass, uint64_t value)
{
	if (value < samples->smallest[pass])
		samples->smallest[pass] = value;
	samples->taken[pass]++;
}

void after_tick(void)
{
	uint64_t start = counter(), before = start, now;

	while ((now = counter()) - before < TICK_GAP && now - start < TICK_PATIENCE)
		before = now;
}

uint64_t own_cost(void)
{
	uint64_t smallest = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t start = counter();
		uint64_t cost = counter() - start;

		if (cost < smallest)
			smallest = cost;
	}
	return smallest;
}

void say_figure(const char *name, const char *unit, const struct samples *samples)
{
	printf("figure\t%s\t%s", name, unit);
	for (int pass = 0; pass < PASSES; pass++) {
		if (samples->taken[pass])
			printf("\t%" PRIu64, samples->smallest[pass]);
		else
			printf("\t-");
	}
	putchar('\n');
}

static void say(const char *word, const char *name, const char *format, va_list args)
{
	printf("%s\t%s\t", word, name);
	vprintf(format, args);
	putchar('\n');
}

void say_skip(const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("skip", name, format, args);
	va_end(args);
}

void say_wrong(const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("wrong", name, format, args);
	va_end(args);
}
