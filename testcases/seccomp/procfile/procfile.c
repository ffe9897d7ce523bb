// SPDX-License-Identifier: GPL-2.0-or-later
/* procfile: what /proc/PID/seccomp_cache is, who may read it, and what it does under load. One TAP line for each test. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tap.h"
#include "abi.h"

#define NOBODY 65534
#define FILE_NAME "seccomp_cache"
#define RACE_NS 1500000000ull
#define FREED_NS 5000000000ull
#define READERS 40
#define X32_BIT 0x40000000

/* Blocks in the order of the file: the native architecture, then its compat (arch/.../include/asm/seccomp.h). */
static const char *const blocks[] = { CACHE_NAMES };
static const uint32_t arches[] = { CACHE_ARCHS };

#define BLOCKS ((int)(sizeof(blocks) / sizeof(*blocks)))
#define OWN_BLOCK CACHE_OWN	/* the block of the table that this program's own calls go to */
#define DENIED 7		/* the number that the filter of these tests denies, on the first architecture only */

static char text[256 << 10];
static long listed[BLOCKS];	/* lines of each block, counted by right_text() */

/* The file of a task as a descriptor; -1 and errno if that fails. */
static int open_file(const char *pid)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%s/" FILE_NAME, pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Reads an open file into `text` and closes it; -1 and errno if that fails. */
static ssize_t read_open(int fd)
{
	ssize_t got, size = 0;
	int error;

	if (fd < 0)
		return -1;
	while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += got;
	error = errno;
	close(fd);
	errno = error;
	text[size] = 0;
	return got < 0 ? -1 : size;
}

static ssize_t read_file(const char *pid)
{
	return read_open(open_file(pid));
}

static ssize_t read_file_of(pid_t pid, pid_t tid)
{
	char name[48];

	snprintf(name, sizeof(name), "%d/task/%d", pid, tid);
	return read_file(name);
}

/* Allows everything but DENIED on the first architecture, which fails with an errno. */
static int attach(unsigned int flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arches[0], 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DENIED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 3000),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(filter) / sizeof(*filter), filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* A child that calls `act` and then sleeps; it is there once it has said so. */
static pid_t sleeper(void (*act)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (!pid) {
		if (act)
			act();
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void attach_one(void)
{
	if (attach(0))
		_exit(1);
}

static bool test_mode(void)
{
	struct stat status;

	if (stat("/proc/self/" FILE_NAME, &status) < 0)
		return wrong("stat: %s", strerror(errno));
	if ((status.st_mode & 07777) != 0400)
		return wrong("mode %o instead of 400", status.st_mode & 07777);
	return S_ISREG(status.st_mode) || wrong("no regular file");
}

static bool test_empty(void)
{
	pid_t pid = sleeper(NULL);
	ssize_t size = read_file_of(pid, pid);
	int error = errno;

	end(pid);
	if (size < 0)
		return wrong("reading it without a filter: %s", strerror(error));
	return !size || wrong("%zd bytes although no filter is attached", size);
}

/* One line, its end already cut off: `NAME NR ALLOW|FILTER`. */
static bool right_line(const char *line, int block, long nr)
{
	char wanted[64];
	bool denied = !block && nr == DENIED;

	snprintf(wanted, sizeof(wanted), "%s %ld %s", blocks[block], nr, denied ? "FILTER" : "ALLOW");
	return !strcmp(line, wanted) || wrong("`%.60s` instead of `%s`", line, wanted);
}

static bool right_text(void)
{
	long nr = 0;
	int block = 0;
	char *end;

	for (char *line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return wrong("the last line has no end");
		*end = 0;
		if (nr && block + 1 < BLOCKS && !strncmp(line, blocks[block + 1], strlen(blocks[block + 1])) &&
		    line[strlen(blocks[block + 1])] == ' ') {
			block++;
			nr = 0;
		}
		if (!right_line(line, block, nr++))
			return false;
		listed[block] = nr;
	}
	return (block == BLOCKS - 1 && nr > DENIED) || wrong("ends in block %d behind number %ld", block, nr);
}

static bool test_format(void)
{
	pid_t pid = sleeper(attach_one);
	ssize_t size = read_file_of(pid, pid);
	int error = errno;

	end(pid);
	if (size <= 0)
		return wrong("reading it: %s", size ? strerror(error) : "empty");
	return right_text();
}

/*
 * The file ends where the table of system calls does: a number behind the last line is no system call. The arguments are such
 * that one which exists all the same does nothing.
 */
static bool test_end(void)
{
	pid_t pid = sleeper(attach_one);
	ssize_t size = read_file_of(pid, pid);

	end(pid);
	if (size <= 0 || !right_text())
		return wrong("the file cannot be read");
	for (long nr = listed[OWN_BLOCK]; nr < listed[OWN_BLOCK] + 8; nr++)
		if (syscall(nr | (SYS_getpid & X32_BIT), -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != ENOSYS)
			return wrong("system call %ld exists and is not listed", nr);
	return true;
}

/*
 * In a child: the errno of reading the file of `pid`, 0 for success, after `before`; and with another change between opening
 * and reading it.
 */
static int errno_between(pid_t pid, int (*before)(void), int (*between)(void))
{
	int status;
	pid_t child = fork();

	if (!child) {
		char name[48];
		int fd;

		snprintf(name, sizeof(name), "%d/task/%d", pid, pid);
		if (before())
			_exit(255);
		fd = open_file(name);
		if (fd < 0)
			_exit(errno);
		if (between())
			_exit(255);
		_exit(read_open(fd) < 0 ? errno : 0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

static int keep(void)
{
	return 0;
}

/* All permitted capabilities become effective but CAP_SYS_ADMIN, or none but that one, or all. */
static int set_effective(bool sys_admin, bool others)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	for (int i = 0; i < 2; i++) {
		uint32_t mask = i == CAP_SYS_ADMIN / 32 ? 1u << CAP_SYS_ADMIN % 32 : 0;

		data[i].effective = data[i].permitted & ((sys_admin ? mask : 0) | (others ? ~mask : 0));
	}
	return syscall(SYS_capset, &header, data);
}

static int drop_sys_admin(void)
{
	return set_effective(false, true);
}

static int only_sys_admin(void)
{
	return set_effective(true, false);
}

static int take_all(void)
{
	return set_effective(true, true);
}

static int errno_after(pid_t pid, int (*change)(void))
{
	return errno_between(pid, change, keep);
}

/* All capabilities, but in a namespace of its own; the target belongs to the same user. */
static int own_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static bool test_capability(void)
{
	pid_t pid = sleeper(attach_one);
	int kept = errno_after(pid, keep), dropped = errno_after(pid, drop_sys_admin);
	int only = errno_after(pid, only_sys_admin), elsewhere = errno_after(pid, own_namespace);

	end(pid);
	if (kept)
		return wrong("with CAP_SYS_ADMIN: errno %d", kept);
	if (dropped != EACCES)
		return wrong("without CAP_SYS_ADMIN: errno %d instead of EACCES", dropped);
	if (only)
		return wrong("with CAP_SYS_ADMIN and no other capability: errno %d", only);
	return elsewhere == EACCES || elsewhere == 255 ||
	       wrong("with CAP_SYS_ADMIN in another user namespace: errno %d instead of EACCES", elsewhere);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Who opens the file needs the capability, and who reads it as well: a descriptor can be handed on. */
static bool test_opener(void)
{
	pid_t pid = sleeper(attach_one);
	int reader = errno_between(pid, keep, drop_sys_admin), opener = errno_between(pid, drop_sys_admin, take_all);

	end(pid);
	if (reader != EACCES)
		return wrong("opened with CAP_SYS_ADMIN and read without: errno %d instead of EACCES", reader);
	return opener == EACCES || wrong("opened without CAP_SYS_ADMIN and read with it: errno %d instead of EACCES", opener);
}

/* The longest filter there is; it jumps to its end at once. */
static void attach_long(void)
{
	static struct sock_filter filter[BPF_MAXINSNS];
	struct sock_fprog prog = { BPF_MAXINSNS, filter };

	for (int i = 1; i < BPF_MAXINSNS; i++)
		filter[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[0] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, BPF_MAXINSNS - 2);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
		_exit(1);
}

/* Kilobytes that the kernel has mapped: a filter of 4096 instructions takes some 36. */
static long mapped(void)
{
	char line[128];
	long found = -1;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmallocUsed: %ld kB", &found);
	if (file)
		fclose(file);
	return found;
}

/* Reading takes a reference and gives it back: of tasks that are gone nothing stays. */
static bool test_memory(void)
{
	long before = mapped(), one, left = 0;
	pid_t pid = sleeper(attach_long);

	one = mapped() - before;
	end(pid);
	if (before < 0 || one < 16)
		return printf("# the kernel does not say what filters take (%ld kB)\n", one) > 0;
	for (int i = 0; i < READERS; i++) {
		pid = sleeper(attach_long);
		if (pid < 0 || read_file_of(pid, pid) <= 0)
			return wrong("the file of a long filter cannot be read");
		end(pid);
	}
	for (uint64_t deadline = now_ns() + FREED_NS; now_ns() < deadline; usleep(20000)) {
		left = mapped() - before;	/* filters are freed a little later */
		if (left < READERS / 2 * one)
			return true;
	}
	return wrong("%ld kB stay behind %d tasks whose file was read, each with a filter of %ld kB", left, READERS, one);
}

static volatile pid_t thread_tid;
static int thread_done[2];

static void *filtered_thread(void *argument)
{
	(void)argument;
	if (attach(0))
		exit(1);
	thread_tid = syscall(SYS_gettid);
	if (write(thread_done[1], "", 1) != 1)
		exit(1);
	for (;;)
		pause();
}

/* Each thread has its own: one has a filter, the leader has none. */
static bool test_thread(void)
{
	pid_t pid = fork();
	int status;
	char byte;

	if (!pid) {
		pthread_t thread;
		ssize_t leader;

		if (pipe(thread_done) < 0 || pthread_create(&thread, NULL, filtered_thread, NULL) ||
		    read(thread_done[0], &byte, 1) != 1)
			_exit(3);
		leader = read_file_of(getpid(), getpid());
		if (leader)
			_exit(leader < 0 ? 5 : 4);
		leader = read_file_of(getpid(), thread_tid);
		_exit(leader > 0 && right_text() ? 0 : 6);
	}
	waitpid(pid, &status, 0);
	switch (WIFEXITED(status) ? WEXITSTATUS(status) : -1) {
	case 0:
		return true;
	case 4:
		return wrong("the leader, which has no filter, shows one");
	case 6:
		return wrong("the thread, which has a filter, does not show it");
	default:
		return wrong("status %#x", status);
	}
}

/* What a child inherits, it still has when it is another program. */
static bool test_fork_and_exec(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (attach(0))
			_exit(2);
		pid = fork();
		if (!pid)
			execl("/proc/self/exe", "procfile", "check", NULL);
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	waitpid(pid, &status, 0);
	return !status || wrong("behind fork and exec the file is not what it was (status %#x)", status);
}

static volatile bool racing;
static volatile pid_t runner;

/* Attaches one filter after another, dies, begins anew. */
static void *run_and_die(void *argument)
{
	(void)argument;
	while (racing) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			for (int i = 0; i < 4; i++)
				attach(0);
			_exit(0);
		}
		runner = pid;
		waitpid(pid, &status, 0);
	}
	return NULL;
}

/* Whoever reads while the task attaches and exits gets whole lines, nothing, or ESRCH; a fault is the kernel's log's affair. */
static bool test_race(void)
{
	uint64_t deadline = now_ns() + RACE_NS;
	unsigned long reads = 0;
	bool good = true;
	pthread_t thread;

	racing = true;
	if (pthread_create(&thread, NULL, run_and_die, NULL))
		return wrong("pthread_create");
	while (good && now_ns() < deadline) {
		pid_t pid = runner;
		ssize_t size = pid ? read_file_of(pid, pid) : 0;

		if (size < 0 && errno != ESRCH && errno != ENOENT)
			good = wrong("reading it during attach and exit: %s", strerror(errno));
		else if (size > 0)
			good = right_text();
		reads++;
	}
	racing = false;
	pthread_join(thread, NULL);
	printf("# %lu reads\n", reads);
	return good;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*test)(void);
	} tests[] = {
		{ "mode", test_mode },
		{ "empty", test_empty },
		{ "format", test_format },
		{ "end", test_end },
		{ "capability", test_capability },
		{ "opener", test_opener },
		{ "memory", test_memory },
		{ "thread", test_thread },
		{ "fork_and_exec", test_fork_and_exec },
		{ "race", test_race },
	};
	const int total = sizeof(tests) / sizeof(*tests);
	int failed = 0;

	if (argc == 2 && !strcmp(argv[1], "check"))
		return !(read_file("self") > 0 && right_text());
	printf("TAP version 13\n1..%d\n", total);
	if (access("/proc/self/" FILE_NAME, F_OK) < 0) {
		for (int i = 0; i < total; i++)
			printf("ok %d %s # SKIP this kernel has no /proc/PID/%s\n", i + 1, tests[i].name, FILE_NAME);
		return 0;
	}
	fflush(stdout);
	for (int i = 0; i < total; i++)
		failed += !report(tests[i].name, tests[i].test());
	return failed;
}
