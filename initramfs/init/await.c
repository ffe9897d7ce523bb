// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host sends (guests/run/saved.py): MAGIC, u64 size of the archive, SEED bytes from its own random numbers, the
 * archive; and, asked once more, u64 nanoseconds of its clock. Numbers are little-endian.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "await.h"
#include "records.h"
#include "system.h"
#include "unpack.h"

#define MAGIC "rigcopy1"
#define SEED 64
#define NOTHING "/rig/nothing"	/* initramfs/nothing.c */
#define SIZE_LIMIT (1ull << 30)
/*
 * Older kernels (draws_for_good) keep up to 8 words of 64 bits and 16 of 32 bits for each processor that were drawn before
 * (drivers/char/random.c, batched_entropy). A program that starts takes at least one of each, for its addresses.
 */
#define STALE 16

struct message {
	char magic[8];
	uint64_t size;
	uint8_t seed[SEED];
};

static void receive(int port, void *data, size_t size)
{
	struct pollfd want = { .fd = port, .events = POLLIN };
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(port, (char *)data + done, size - done);

		if (got > 0)
			done += got;
		else if (got < 0 && errno != EAGAIN && errno != EINTR)
			die("the result channel cannot be read: %s", strerror(errno));
		else if (poll(&want, 1, -1) > 0 && !(want.revents & POLLIN))
			sleep_ns(1000 * 1000);	/* nobody at the other end yet */
	}
}

static void wait_for_host(void)
{
	record_waiting();
	records_flush();
}

/*
 * Since 5.18, and in stable kernels that took over its drivers/char/random.c (5.10.262 has it), what was drawn in advance
 * counts for nothing as soon as the generator is seeded anew (base_crng.generation). Their pool has 256 bits, that of
 * older ones 4096.
 */
static int draws_for_good(void)
{
	char bits[16] = "";
	int fd = open("/proc/sys/kernel/random/poolsize", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 1;
	if (read(fd, bits, sizeof(bits) - 1) < 0)
		bits[0] = 0;
	close(fd);
	return atoi(bits) != 256;
}

/* Program starts on each processor, so that nothing which was drawn before the guest was saved is left. */
static void use_up_stale(void)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all))
		die("sched_getaffinity: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		for (int i = 0; i < STALE; i++) {
			pid_t pid = vfork();

			if (pid == 0) {
				execl(NOTHING, NOTHING, NULL);
				_exit(127);
			}
			if (pid > 0)
				waitpid(pid, NULL, 0);
		}
	}
	sched_setaffinity(0, sizeof(all), &all);
}

static void reseed(const uint8_t *seed)
{
	struct {
		int bits, size;
		uint8_t data[SEED];
	} pool = { .bits = 8 * SEED, .size = SEED };
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	memcpy(pool.data, seed, SEED);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) || ioctl(fd, RNDRESEEDCRNG))
		die("random numbers cannot be made a copy's own: %s", strerror(errno));
	close(fd);
	if (draws_for_good())
		use_up_stale();
	unlink(NOTHING);
}

static void set_clock(uint64_t ns)
{
	struct timespec now = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	if (clock_settime(CLOCK_REALTIME, &now))
		die("the clock cannot be set: %s", strerror(errno));
}

void await_job(int port)
{
	struct message message;
	const char *wrong;
	uint64_t now, size;
	char *archive;

	wait_for_host();
	receive(port, &message, sizeof(message));
	size = le64toh(message.size);
	if (memcmp(message.magic, MAGIC, sizeof(message.magic)) || size > SIZE_LIMIT)
		die("the host sent something else than a job");
	archive = malloc(size);
	if (!archive)
		die("a job of %llu bytes does not fit into memory", (unsigned long long)size);
	receive(port, archive, size);
	umask(0);
	wrong = unpack(archive, size);
	umask(022);
	if (wrong)
		die("the job cannot be unpacked: %s", wrong);
	free(archive);
	reseed(message.seed);
	wait_for_host();
	receive(port, &now, sizeof(now));
	set_clock(le64toh(now));
}
