// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan.h"

#define MAGIC 0x4e4c5042	/* BPLN */

static void get(FILE *file, void *into, size_t size)
{
	if (size && fread(into, size, 1, file) != 1)
		errx(1, "the plan ends too early");
}

static uint32_t word(FILE *file)
{
	uint32_t value;

	get(file, &value, sizeof(value));
	return value;
}

static void *space(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		err(1, "no memory for the plan");
	return memory;
}

static void read_filter(FILE *file, struct filter *filter)
{
	filter->length = word(file);
	filter->instructions = space(filter->length, sizeof(*filter->instructions));
	get(file, filter->instructions, filter->length * sizeof(*filter->instructions));
}

static void read_item(FILE *file, struct item *item)
{
	get(file, item->name, sizeof(item->name));
	item->name[NAME_SIZE - 1] = '\0';
	item->kind = word(file);
	item->number = word(file);
	item->argument = word(file);
	item->depth = word(file);
	item->stack = space(item->depth, sizeof(*item->stack));
	get(file, item->stack, item->depth * sizeof(*item->stack));
}

void plan_read(struct plan *plan, const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		err(1, "%s", path);
	if (word(file) != MAGIC)
		errx(1, "%s: not a plan", path);
	plan->filter_count = word(file);
	plan->filters = space(plan->filter_count, sizeof(*plan->filters));
	for (uint32_t i = 0; i < plan->filter_count; i++)
		read_filter(file, &plan->filters[i]);
	plan->item_count = word(file);
	plan->items = space(plan->item_count, sizeof(*plan->items));
	for (uint32_t i = 0; i < plan->item_count; i++)
		read_item(file, &plan->items[i]);
	fclose(file);
}
