// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "unpack.h"

#define MAGIC "070701"
#define HEADER 110
#define TRAILER "TRAILER!!!"
#define ALIGNED(size) (((size) + 3) & ~(size_t)3)

/* The numbers of a header, of eight hexadecimal digits each, in order. */
enum field { INODE, MODE, UID, GID, LINKS, MTIME, SIZE, MAJOR, MINOR, RMAJOR, RMINOR, NAME_SIZE, SUM, FIELDS };

struct entry {
	const char *name;
	const char *data;
	uint32_t fields[FIELDS];
};

static bool read_fields(const char *header, uint32_t *fields)
{
	char digits[9] = "", *rest;

	for (int i = 0; i < FIELDS; i++) {
		memcpy(digits, header + strlen(MAGIC) + 8 * i, 8);
		fields[i] = strtoul(digits, &rest, 16);
		if (*rest)
			return false;
	}
	return true;
}

/* The entry at `at` and where the next one is; false where the archive ends too early or is none. */
static bool read_entry(const char *archive, size_t size, size_t *at, struct entry *entry)
{
	size_t left = size - *at, name_end, data_end;

	if (left < HEADER || memcmp(archive + *at, MAGIC, strlen(MAGIC)) || !read_fields(archive + *at, entry->fields))
		return false;
	name_end = ALIGNED(HEADER + (size_t)entry->fields[NAME_SIZE]);
	data_end = name_end + ALIGNED((size_t)entry->fields[SIZE]);
	if (!entry->fields[NAME_SIZE] || name_end > left || data_end > left)
		return false;
	entry->name = archive + *at + HEADER;
	entry->data = archive + *at + name_end;
	*at += data_end;
	return !entry->name[entry->fields[NAME_SIZE] - 1];
}

static bool write_file(const struct entry *entry)
{
	int fd = open(entry->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const struct timespec times[2] = { { .tv_sec = entry->fields[MTIME] }, { .tv_sec = entry->fields[MTIME] } };
	size_t done = 0;
	ssize_t wrote;

	if (fd < 0)
		return false;
	while (done < entry->fields[SIZE]) {
		wrote = write(fd, entry->data + done, entry->fields[SIZE] - done);
		if (wrote <= 0)
			break;
		done += wrote;
	}
	if (done == entry->fields[SIZE])
		futimens(fd, times);
	return close(fd) == 0 && done == entry->fields[SIZE];
}

static bool make_link(const struct entry *entry)
{
	char target[4096] = "";

	if (entry->fields[SIZE] >= sizeof(target))
		return false;
	memcpy(target, entry->data, entry->fields[SIZE]);
	return symlink(target, entry->name) == 0;
}

static bool make(const struct entry *entry)
{
	mode_t mode = entry->fields[MODE];
	dev_t device = makedev(entry->fields[RMAJOR], entry->fields[RMINOR]);
	struct stat there;
	bool done;

	if (lstat(entry->name, &there) == 0 && !(S_ISDIR(there.st_mode) && S_ISDIR(mode)))
		if (S_ISDIR(there.st_mode) ? rmdir(entry->name) : unlink(entry->name))
			return false;
	if (S_ISLNK(mode))
		return make_link(entry);
	if (S_ISDIR(mode))
		done = mkdir(entry->name, 0755) == 0 || errno == EEXIST;
	else if (S_ISREG(mode))
		done = write_file(entry);
	else
		done = mknod(entry->name, mode, device) == 0;
	return done && chmod(entry->name, mode & 07777) == 0;
}

const char *unpack(const char *archive, size_t size)
{
	static char wrong[256];
	struct entry entry;
	size_t at = 0;

	if (chdir("/"))
		return strerror(errno);
	while (read_entry(archive, size, &at, &entry)) {
		if (!strcmp(entry.name, TRAILER))
			return NULL;
		errno = 0;
		if (!make(&entry)) {
			snprintf(wrong, sizeof(wrong), "%s: %s", entry.name, strerror(errno ? errno : EIO));
			return wrong;
		}
	}
	return "the archive is damaged";
}
