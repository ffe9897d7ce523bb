// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mounts.h"
#include "records.h"

struct place {
	const char *type;
	const char *target;
	unsigned long flags;
	const char *data;
};

#define NEW_ROOT "/rig/root"
#define SAFE (MS_NOSUID | MS_NODEV)

static const struct place first[] = {
	{ "proc", "/proc", SAFE | MS_NOEXEC, NULL },
	{ "sysfs", "/sys", SAFE | MS_NOEXEC, NULL },
	{ "devtmpfs", "/dev", MS_NOSUID, "mode=0755" },
};

/* In order: /dev/shm can only follow /dev, and so on. The targets below /sys come with the feature itself. */
static const struct place rest[] = {
	{ "tmpfs", "/tmp", SAFE, "mode=1777" },
	{ "tmpfs", "/run", SAFE, "mode=0755" },
	{ "tmpfs", "/dev/shm", SAFE, "mode=1777" },
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666" },
	{ "mqueue", "/dev/mqueue", SAFE | MS_NOEXEC, NULL },
	{ "cgroup2", "/sys/fs/cgroup", SAFE | MS_NOEXEC, NULL },
	{ "bpf", "/sys/fs/bpf", SAFE | MS_NOEXEC, NULL },
	{ "debugfs", "/sys/kernel/debug", SAFE | MS_NOEXEC, NULL },
	{ "tracefs", "/sys/kernel/tracing", SAFE | MS_NOEXEC, NULL },
	{ "securityfs", "/sys/kernel/security", SAFE | MS_NOEXEC, NULL },
	{ "configfs", "/sys/kernel/config", SAFE | MS_NOEXEC, NULL },
};

static const char *const links[][2] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void mount_one(const struct place *place)
{
	if (!strncmp(place->target, "/dev/", 5))
		mkdir(place->target, 0755);
	if (mount(place->type, place->target, place->type, place->flags, place->data) == 0)
		return;
	/* ENODEV: no such file system in this kernel. ENOENT: nor the feature that brings the folder below /sys. */
	if (errno != ENODEV && errno != ENOENT)
		record_note(RECORDS_NO_STEP, "mount %s on %s: %s", place->type, place->target, strerror(errno));
}

/*
 * The kernel's first file system has no parent, and so pivot_root() refuses to leave it (Documentation/filesystems/
 * ramfs-rootfs-initramfs.rst). The same file system mounted once more over itself has one, as the root of any system does
 * that booted from a disk.
 */
static void own_root(void)
{
	mkdir(NEW_ROOT, 0755);
	if (mount("/", NEW_ROOT, NULL, MS_BIND, NULL) == 0 && chdir(NEW_ROOT) == 0 &&
	    mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 && chdir("/") == 0)
		rmdir(NEW_ROOT);
}

void mounts_first(void)
{
	own_root();
	for (size_t i = 0; i < COUNT(first); i++)
		mount_one(&first[i]);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

void mounts_rest(void)
{
	struct rlimit core = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };

	for (size_t i = 0; i < COUNT(rest); i++)
		mount_one(&rest[i]);
	for (size_t i = 0; i < COUNT(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			record_note(RECORDS_NO_STEP, "%s: %s", links[i][1], strerror(errno));
	loopback_up();
	sethostname("rig", 3);
	setrlimit(RLIMIT_CORE, &core);
}
