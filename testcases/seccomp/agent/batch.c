// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"

#define MAGIC 0x42534752	/* "RGSB" where the low byte comes first */

/* The rest of the file. It stays mapped: programs are used where they lie. */
struct cursor {
	const unsigned char *at;
	size_t left;
};

static const void *take(struct cursor *cursor, size_t size)
{
	const void *found = cursor->at;

	if (size > cursor->left) {
		errno = EBADMSG;
		die("batch");
	}
	cursor->at += size;
	cursor->left -= size;
	return found;
}

static uint32_t word(struct cursor *cursor)
{
	uint32_t value;

	memcpy(&value, take(cursor, sizeof(value)), sizeof(value));
	return value;
}

/* An array with as many elements as the next word says, each of at least one word in the file. */
static void *array(struct cursor *cursor, uint32_t *count, size_t size)
{
	void *found;

	*count = word(cursor);
	if (*count > cursor->left / 4) {
		errno = EBADMSG;
		die("batch");
	}
	found = calloc(*count + 1, size);
	if (!found)
		die("batch");
	return found;
}

/* They lie in the file as they lie in memory. */
static const struct range *ranges(struct cursor *cursor, uint32_t *count)
{
	*count = word(cursor);
	if (*count > cursor->left / sizeof(struct range)) {
		errno = EBADMSG;
		die("batch");
	}
	return take(cursor, *count * sizeof(struct range));
}

static enum door door(struct cursor *cursor)
{
	uint32_t found = word(cursor);

	if (found >= DOORS || !call_arch(found)) {
		errno = ENXIO;
		die("batch: door");
	}
	return found;
}

static void read_table(struct cursor *cursor, struct table *table)
{
	const struct range *parts;
	uint32_t count;

	table->door = door(cursor);
	table->alone = word(cursor);
	memcpy(table->args, take(cursor, sizeof(table->args)), sizeof(table->args));
	parts = ranges(cursor, &count);
	for (uint32_t i = 0; i < count; i++)
		table->count += parts[i].count;
	table->numbers = calloc(table->count + 1, sizeof(*table->numbers));
	table->unsafe = calloc(table->count + 1, sizeof(*table->unsafe));
	table->natural = calloc(table->count + 1, sizeof(*table->natural));
	if (!table->numbers || !table->unsafe || !table->natural)
		die("batch");
	table->count = 0;
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < parts[i].count; j++, table->count++) {
			table->numbers[table->count] = parts[i].first + j;
			table->unsafe[table->count] = !table->alone && call_is_unsafe(table->door, parts[i].first + j);
		}
}

static void read_between(struct cursor *cursor, struct between *between, const struct batch *batch)
{
	uint32_t table;

	between->filter = word(cursor);
	table = word(cursor);
	if (table >= batch->tables) {
		errno = EBADMSG;
		die("batch: table between");
	}
	between->table = &batch->table[table];
	between->numbers = array(cursor, &between->count, sizeof(*between->numbers));
	for (uint32_t i = 0; i < between->count; i++)
		between->numbers[i] = word(cursor);
}

static void read_stack(struct cursor *cursor, struct stack *stack, const struct batch *batch)
{
	uint32_t calls = 0;

	stack->way = word(cursor);
	stack->filter = array(cursor, &stack->filters, sizeof(*stack->filter));
	if (stack->way >= WAYS || stack->filters > MAX_FILTERS) {
		errno = EBADMSG;
		die("batch: stack");
	}
	for (uint32_t i = 0; i < stack->filters; i++) {
		uint32_t length = word(cursor);

		if (length > UINT16_MAX) {
			errno = EBADMSG;
			die("batch: filter");
		}
		stack->filter[i].len = length;
		stack->filter[i].filter = (void *)take(cursor, length * sizeof(struct sock_filter));
	}
	stack->work = array(cursor, &stack->works, sizeof(*stack->work));
	for (uint32_t i = 0; i < stack->works; i++) {
		stack->work[i].table = word(cursor);
		stack->work[i].skip = ranges(cursor, &stack->work[i].skips);
		if (stack->work[i].table >= batch->tables) {
			errno = EBADMSG;
			die("batch: table");
		}
	}
	stack->single = array(cursor, &stack->singles, sizeof(*stack->single));
	for (uint32_t i = 0; i < stack->singles; i++) {
		stack->single[i].door = door(cursor);
		stack->single[i].call.nr = word(cursor);
		stack->single[i].last = word(cursor);
		memcpy(stack->single[i].call.args, take(cursor, sizeof(stack->single[i].call.args)),
		       sizeof(stack->single[i].call.args));
	}
	stack->between = array(cursor, &stack->betweens, sizeof(*stack->between));
	for (uint32_t i = 0; i < stack->betweens; i++) {
		read_between(cursor, &stack->between[i], batch);
		calls += stack->between[i].count;
		if (calls > MAX_BETWEEN) {
			errno = E2BIG;
			die("batch: calls between");
		}
	}
}

void batch_read(struct batch *batch, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct cursor cursor;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		die(path);
	cursor.left = status.st_size;
	cursor.at = mmap(NULL, cursor.left, PROT_READ, MAP_PRIVATE, fd, 0);
	if (cursor.at == MAP_FAILED)
		die(path);
	close(fd);
	if (word(&cursor) != MAGIC) {
		errno = EBADMSG;
		die(path);
	}
	batch->table = array(&cursor, &batch->tables, sizeof(*batch->table));
	for (uint32_t i = 0; i < batch->tables; i++)
		read_table(&cursor, &batch->table[i]);
	batch->stack = array(&cursor, &batch->stacks, sizeof(*batch->stack));
	for (uint32_t i = 0; i < batch->stacks; i++)
		read_stack(&cursor, &batch->stack[i], batch);
}
