/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From samples to a figure. The same path through the kernel takes the same number of instructions each time, and what
 * comes on top (a tick of the timer, a list that had to be refilled) only ever adds: so the smallest is the figure.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdint.h>

#define PASSES 2

struct samples {
	uint64_t smallest[PASSES];
	uint32_t taken[PASSES];
};

void samples_clear(struct samples *samples);
void samples_add(struct samples *samples, unsigned int pass, uint64_t value);

/* Waits for the end of a tick, so that the time to the next one is free of them. */
void after_tick(void);

/* The cost of two looks at the counter with nothing in between. */
uint64_t own_cost(void);

/*
 * From now on wall time is measured instead of instructions: samples are in thousandths of the counter's ticks. Says how
 * many ticks a second has, as the figure `clock/rate`.
 */
void samples_of_wall_time(void);

/* Ticks in a second of wall time; 0 where instructions are counted. */
uint64_t wall_rate(void);

/* So many ticks as a sample, and the unit of samples. */
uint64_t cost_of(uint64_t ticks);
const char *cost_unit(void);

/*
 * One line on standard output for the host, testcases/benchmark/figure_lines.py: name, unit and the smallest of each pass,
 * or a reason why there is none. The cost of the measurement itself has to be gone from the samples. Wall time is never
 * the same twice: there it is the smallest of all.
 */
void say_cost(const char *name, const struct samples *samples);

/*
 * The same for what finds the kernel in another state each time, its allocators foremost: the smallest of all. Two passes
 * say nothing then; two guests do, since each goes through the same states.
 */
void say_smallest(const char *name, const char *unit, const struct samples *samples);

void say_skip(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_wrong(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
