// SPDX-License-Identifier: GPL-2.0-or-later
/* A record is its type, the number of bytes that follow, and those: u32, in the byte order of this machine. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"

#define SIZE (64u << 10)
#define YIELDS 8	/* init has most often read by then: they share a processor */

static unsigned char buffer[SIZE];
static size_t used;
static size_t start;		/* of the record that is being written */

_Noreturn void die(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(size_t size)
{
	for (size_t sent = 0; sent < size;) {
		ssize_t done = write(STDOUT_FILENO, buffer + sent, size - sent);

		if (done < 0 && errno != EINTR)
			exit(2);
		if (done > 0)
			sent += done;
	}
}

static void make_room(size_t size)
{
	if (used + size <= SIZE)
		return;
	send_all(start);
	memmove(buffer, buffer + start, used - start);
	used -= start;
	start = 0;
	if (used + size > SIZE) {
		errno = E2BIG;
		die("a record");
	}
}

void stream_bytes(const void *data, size_t size)
{
	make_room(size);
	memcpy(buffer + used, data, size);
	used += size;
}

void stream_word(uint32_t word)
{
	stream_bytes(&word, sizeof(word));
}

void stream_long(uint64_t number)
{
	stream_bytes(&number, sizeof(number));
}

void stream_begin(enum record record)
{
	start = used;
	stream_word(record);
	stream_word(0);
}

void stream_end(void)
{
	uint32_t size = used - start - 8;

	memcpy(buffer + start + 4, &size, sizeof(size));
	start = used;
}

void stream_flush(void)
{
	struct timespec moment = { .tv_nsec = 100000 };
	int waiting;

	send_all(used);
	used = 0;
	start = 0;
	/* What has left the pipe is on its way to the host, and survives a crash of this kernel. */
	for (int i = 0; i < 1000 && !ioctl(STDOUT_FILENO, FIONREAD, &waiting) && waiting; i++)
		if (i < YIELDS)
			sched_yield();
		else
			nanosleep(&moment, NULL);
}
