// SPDX-License-Identifier: GPL-2.0-or-later
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
#define ALLOW " ALLOW\n"
#define FILTER " FILTER\n"

struct block {
	char name[NAME];
	uint32_t count;
	unsigned char bits[NUMBERS / 8];
};

static struct block block[BLOCKS];
static char text[256 << 10];

bool cache_is_shown(void)
{
	static int shown = -1;

	if (shown < 0)
		shown = !access("/proc/self/seccomp_cache", F_OK);
	return shown;
}

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

/*
 * Puts one line into the last block or a new one. Returns what follows it, or NULL. By hand, since a file has a thousand lines
 * and is read once for each filter.
 */
static const char *take_line(const char *line, uint32_t *blocks)
{
	struct block *last = *blocks ? &block[*blocks - 1] : NULL;
	const char *digits;
	uint32_t number = 0;
	size_t name = 0;

	while (name < NAME && line[name] && line[name] != ' ' && line[name] != '\n')
		name++;
	if (!name || name == NAME || line[name] != ' ')
		return NULL;
	if (!last || last->name[name] || memcmp(last->name, line, name)) {
		if (*blocks == BLOCKS)
			return NULL;
		last = &block[(*blocks)++];
		memset(last, 0, sizeof(*last));
		memcpy(last->name, line, name);
	}
	digits = line + name + 1;
	for (line = digits; *line >= '0' && *line <= '9' && number < NUMBERS; line++)
		number = 10 * number + *line - '0';
	if (line == digits || number != last->count || number >= NUMBERS)
		return NULL;
	last->count++;
	if (!strncmp(line, ALLOW, sizeof(ALLOW) - 1)) {
		last->bits[number / 8] |= 1u << number % 8;
		return line + sizeof(ALLOW) - 1;
	}
	return strncmp(line, FILTER, sizeof(FILTER) - 1) ? NULL : line + sizeof(FILTER) - 1;
}

static int parse(size_t size, uint32_t *blocks)
{
	const char *line = text;

	while (line && line < text + size)
		line = take_line(line, blocks);
	return line ? 0 : EBADMSG;
}

void cache_report(uint32_t stack, uint32_t filter, pid_t pid, pid_t tid)
{
	uint32_t blocks = 0;
	size_t size;
	int error = cache_is_shown() ? read_text(pid, tid, &size) : ENOENT;

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
