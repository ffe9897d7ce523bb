/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One output stream of a step: a pipe, of which the first and the last part are passed on. */
#ifndef RIG_OUTPUT_H
#define RIG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_HEAD (4u << 20)	/* bytes passed on at once */
#define OUTPUT_TAIL (64u << 10)	/* bytes kept of what comes after them: a test says its verdict last */

struct output {
	int fd;			/* read end, not blocking; -1 once it is closed */
	uint32_t step;
	uint8_t stream;
	uint64_t total;		/* bytes read */
	char *tail;		/* ring, from when the head is full */
};

void output_open(struct output *output, int fd, uint32_t step, uint8_t stream);

/* Takes at most one chunk, so that a test that never stops writing cannot hold up its own deadline. False: nothing to read. */
bool output_read(struct output *output);

/* Takes what is left in the pipe, passes the tail on and closes. */
void output_close(struct output *output);

#endif
