// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "stream.h"

#define NAME 16
#define BLOCKS 4
#define NUMBERS 4096

struct block {
	char name[NAME];
	uint32_t count;
	unsigned char bits[NUMBERS / 8];
};

static struct block block[BLOCKS];
static char text[256 << 10];

static int read_text(pid_t pid, pid_t tid, size_t *size)
{
	char path[64];
	ssize_t got;
	int fd;

	*size = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/seccomp_cache", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	while ((got = read(fd, text + *size, sizeof(text) - 1 - *size)) > 0)
		*size += got;
	close(fd);
	text[*size] = 0;
	return got < 0 ? errno : 0;
}

/* Puts one line, without its newline, into the last block or a new one. */
static bool take_line(char *line, uint32_t *blocks)
{
	char *nr = strchr(line, ' '), *word, *end;
	struct block *last = *blocks ? &block[*blocks - 1] : NULL;
	unsigned long number;

	if (!nr || nr - line >= NAME || nr == line)
		return false;
	*nr++ = 0;
	number = strtoul(nr, &word, 10);
	if (word == nr || *word++ != ' ')
		return false;
	end = word + strlen(word);
	if (!last || strcmp(last->name, line)) {
		if (*blocks == BLOCKS)
			return false;
		last = &block[(*blocks)++];
		memset(last, 0, sizeof(*last));
		strcpy(last->name, line);
	}
	if (number != last->count || number >= NUMBERS || end == word)
		return false;
	last->count++;
	if (!strcmp(word, "ALLOW"))
		last->bits[number / 8] |= 1u << number % 8;
	else if (strcmp(word, "FILTER"))
		return false;
	return true;
}

static int parse(size_t size, uint32_t *blocks)
{
	char *line = text;

	while (line < text + size) {
		char *end = strchr(line, '\n');

		if (!end)
			return EBADMSG;
		*end = 0;
		if (!take_line(line, blocks))
			return EBADMSG;
		line = end + 1;
	}
	return 0;
}

void cache_report(uint32_t stack, uint32_t filter, pid_t pid, pid_t tid)
{
	uint32_t blocks = 0;
	size_t size;
	int error = read_text(pid, tid, &size);

	if (!error)
		error = parse(size, &blocks);
	stream_begin(RECORD_CACHE);
	stream_word(stack);
	stream_word(filter);
	stream_word(error);
	stream_word(blocks);
	for (uint32_t i = 0; i < blocks; i++) {
		stream_bytes(block[i].name, NAME);
		stream_word(block[i].count);
		stream_bytes(block[i].bits, (block[i].count + 7) / 8);
	}
	stream_end();
}
