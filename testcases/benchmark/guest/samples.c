// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "counter.h"
#include "samples.h"
#include "windows.h"

#define STRIDE 2000		/* rounds of a loop between two looks at the counter, each of which is slow to emulate */
#define LONGEST_TICK 20000000	/* instructions; a kernel without a tick is not waited for */

#define NANOSECONDS 1000000000u
#define CALIBRATION 100000000u	/* nanoseconds, many steps of the coarsest clock */

static uint64_t rate;

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

static uint64_t stride(void)
{
	uint64_t start = counter();

	for (int i = 0; i < STRIDE; i++)
		__asm__ volatile("");
	return counter() - start;
}

void after_tick(void)
{
	uint64_t undisturbed = stride(), start = counter();

	while (counter() - start < LONGEST_TICK) {
		uint64_t taken = stride();

		if (taken > undisturbed)
			return;
		undisturbed = taken;
	}
}

uint64_t own_cost(void)
{
	uint64_t smallest = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t start, cost;

		cost_window_begins();
		start = counter();
		cost = counter() - start;
		if (cost < smallest)
			smallest = cost;
	}
	return smallest;
}

/* Nanoseconds, and the counter at the moment at which the clock comes to them. */
static uint64_t next_step(uint64_t *ticks)
{
	struct timespec now, before;

	clock_gettime(CLOCK_MONOTONIC, &before);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		*ticks = counter();
	} while (now.tv_nsec == before.tv_nsec);
	return (uint64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

void samples_of_wall_time(void)
{
	uint64_t first_tick, last_tick, first = next_step(&first_tick), last;

	do
		last = next_step(&last_tick);
	while (last - first < CALIBRATION);
	rate = (double)(last_tick - first_tick) * NANOSECONDS / (last - first);
	printf("figure\tclock/rate\tHz\t%" PRIu64 "\n", rate);
}

uint64_t wall_rate(void)
{
	return rate;
}

uint64_t cost_of(uint64_t ticks)
{
	return rate ? 1000 * ticks : ticks;
}

const char *cost_unit(void)
{
	return rate ? "mticks" : "insns";
}

void say_cost(const char *name, const struct samples *samples)
{
	if (rate) {
		say_smallest(name, cost_unit(), samples);
		return;
	}
	printf("figure\t%s\t%s", name, cost_unit());
	for (int pass = 0; pass < PASSES; pass++) {
		if (samples->taken[pass])
			printf("\t%" PRIu64, samples->smallest[pass]);
		else
			printf("\t-");
	}
	putchar('\n');
}

void say_smallest(const char *name, const char *unit, const struct samples *samples)
{
	uint64_t smallest = UINT64_MAX;

	for (int pass = 0; pass < PASSES; pass++)
		if (samples->taken[pass] && samples->smallest[pass] < smallest)
			smallest = samples->smallest[pass];
	printf("figure\t%s\t%s\t%" PRIu64 "\n", name, unit, smallest);
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
