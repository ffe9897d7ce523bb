// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "records.h"

/* A pipe can be made to hold no more than this by a program with CAP_SYS_RESOURCE that tries hard. */
#define PIPE_LIMIT (64u << 20)

static char chunk[RECORDS_CHUNK];

void output_open(struct output *output, int fd, uint32_t step, uint8_t stream)
{
	*output = (struct output){ .fd = fd, .step = step, .stream = stream };
}

/* Bytes beyond the head go into the ring; the oldest make room. Without memory for a ring they are dropped. */
static void keep(struct output *output, const char *data, size_t size)
{
	if (!output->tail)
		output->tail = malloc(OUTPUT_TAIL);
	if (!output->tail)
		return;
	for (size_t i = 0; i < size; i++)
		output->tail[(output->total - OUTPUT_HEAD + i) % OUTPUT_TAIL] = data[i];
}

static void take(struct output *output, const char *data, size_t size)
{
	size_t head = 0;

	if (output->total < OUTPUT_HEAD) {
		head = OUTPUT_HEAD - output->total;
		if (head > size)
			head = size;
		record_output(output->step, output->stream, data, head);
		output->total += head;
	}
	if (size > head) {
		keep(output, data + head, size - head);
		output->total += size - head;
	}
}

bool output_read(struct output *output)
{
	ssize_t got;

	if (output->fd < 0)
		return false;
	got = read(output->fd, chunk, sizeof(chunk));
	if (got > 0) {
		take(output, chunk, got);
		return true;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(output->fd);
		output->fd = -1;
	}
	return false;
}

static void pass_tail_on(struct output *output)
{
	uint64_t beyond = output->total - OUTPUT_HEAD;
	uint64_t left_out = beyond > OUTPUT_TAIL ? beyond - OUTPUT_TAIL : 0;
	size_t start = left_out % OUTPUT_TAIL;
	size_t kept = beyond - left_out;
	char line[80];

	if (left_out) {
		snprintf(line, sizeof(line), "\n[rig: %llu bytes left out here]\n",
			 (unsigned long long)left_out);
		record_output(output->step, output->stream, line, strlen(line));
		record_note(output->step, "stream %d: %llu bytes left out after the first %u", output->stream,
			    (unsigned long long)left_out, OUTPUT_HEAD);
	}
	if (start + kept > OUTPUT_TAIL) {
		record_output(output->step, output->stream, output->tail + start, OUTPUT_TAIL - start);
		kept -= OUTPUT_TAIL - start;
		start = 0;
	}
	record_output(output->step, output->stream, output->tail + start, kept);
}

void output_close(struct output *output)
{
	uint64_t end = output->total + PIPE_LIMIT;

	/* Whoever could write is dead, or is stuck and silent; the limit is for what cannot be. */
	while (output->total < end && output_read(output))
		;
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
	if (output->tail)
		pass_tail_on(output);
	free(output->tail);
	output->tail = NULL;
}
