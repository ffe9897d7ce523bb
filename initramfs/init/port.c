// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtio-serial port carries the name that its device was given; sysfs has it, whatever bus the controller is on
 * (drivers/char/virtio_console.c). The ports of a controller appear from a work queue, perhaps after init has started.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "port.h"
#include "system.h"

#define FOLDER "/sys/class/virtio-ports"

/* The folder name (`vport0p1`) of the port. */
static bool find(const char *wanted, char *found, size_t size)
{
	char path[320], name[128];
	struct dirent *item;
	bool hit = false;
	DIR *folder = opendir(FOLDER);

	if (!folder)
		return false;
	while (!hit && (item = readdir(folder))) {
		snprintf(path, sizeof(path), FOLDER "/%s/name", item->d_name);
		if (item->d_name[0] == '.' || read_text(path, name, sizeof(name)) < 0)
			continue;
		hit = !strcmp(name, wanted);
		if (hit)
			snprintf(found, size, "%s", item->d_name);
	}
	closedir(folder);
	return hit;
}

/* For a kernel without devtmpfs. */
static void make_node(const char *node, const char *port)
{
	char path[320], text[32];
	unsigned int major, minor;

	snprintf(path, sizeof(path), FOLDER "/%s/dev", port);
	if (read_text(path, text, sizeof(text)) > 0 && sscanf(text, "%u:%u", &major, &minor) == 2)
		mknod(node, S_IFCHR | 0600, makedev(major, minor));
}

int port_open(const char *name, uint64_t patience_ns)
{
	uint64_t end = now_ns() + patience_ns;
	char port[256], node[280];
	int fd;

	while (!find(name, port, sizeof(port))) {
		if (now_ns() >= end) {
			errno = ENXIO;
			return -1;
		}
		sleep_ns(500 * 1000);
	}
	snprintf(node, sizeof(node), "/dev/%s", port);
	/* Read and write, because a port has one opener at a time: whoever comes after gets EBUSY. */
	fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		make_node(node, port);
		fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	return fd;
}
