// SPDX-License-Identifier: GPL-2.0-or-later
/* The program that the tests run as a step: it does what selftests do, good and bad. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int say(void)
{
	printf("to stdout\n");
	fprintf(stderr, "to stderr\n");
	return 3;
}

static void forget_signals(void)
{
	for (int number = 1; number < 64; number++)
		signal(number, SIG_IGN);
}

/* Leaves a daemon behind that holds the output pipes and heeds no signal; with `wait` the step itself stays as well. */
static int daemonise(bool wait)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		return 1;
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			forget_signals();
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		return 1;
	printf("daemon is up\n");
	fflush(stdout);
	while (wait)
		pause();
	return 0;
}

/* The processes that are not the kernel's, init and this one excepted. */
static int count_others(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *item;
	int count = 0;

	while (folder && (item = readdir(folder))) {
		char path[300], text[512] = "";
		unsigned int flags = 0;
		int fd;

		if (!isdigit((unsigned char)item->d_name[0]) || atoi(item->d_name) == 1 || atoi(item->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", item->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || !strrchr(text, ')'))
			continue;
		close(fd);
		sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %*d %*d %u", &flags);
		if (!(flags & 0x00200000))
			count++;
	}
	printf("others %d\n", count);
	return 0;
}

static int chatter(unsigned long lines)
{
	for (unsigned long i = 0; i < lines; i++)
		printf("line %010lu\n", i);
	return 0;
}

static int surroundings(void)
{
	struct rlimit core;
	sigset_t blocked;
	struct stat input, null;
	int open_count = 0, ignored = 0, masked = 0;
	struct sigaction action;
	char folder[100] = "", score[20] = "";
	int fd;

	for (int i = 3; i < 64; i++)
		open_count += fcntl(i, F_GETFD) >= 0;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int i = 1; i < 64; i++) {
		masked += sigismember(&blocked, i) == 1;
		ignored += sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL;
	}
	fstat(0, &input);
	stat("/dev/null", &null);
	getrlimit(RLIMIT_CORE, &core);
	fd = open("/proc/self/oom_score_adj", O_RDONLY);
	if (fd >= 0 && read(fd, score, sizeof(score) - 1) > 0)
		score[strcspn(score, "\n")] = 0;
	printf("leader %d cwd %s umask %03o fds %d masked %d handled %d input %d core %lu oom %s\n", getsid(0) == getpid(),
	       getcwd(folder, sizeof(folder)), umask(0), open_count, masked, ignored, input.st_rdev == null.st_rdev,
	       (unsigned long)core.rlim_cur, score);
	printf("HOME=%s MARK=%s\n", getenv("HOME"), getenv("MARK"));
	return 0;
}

/* Whether a test can get at what only the rig may have. */
static int snoop(void)
{
	bool job = access("/rig/job", F_OK) == 0;
	int port = -1;
	char path[40];

	for (int i = 0; i < 4 && port < 0; i++) {
		snprintf(path, sizeof(path), "/dev/vport%dp1", i);
		port = open(path, O_RDWR);
		if (port < 0 && errno != ENOENT)
			break;
	}
	printf("port %s job %s\n", port < 0 ? strerror(errno) : "open", job ? "there" : "gone");
	return 0;
}

static int wreck(void)
{
	umount2("/dev/shm", MNT_DETACH);
	umount2("/dev", MNT_DETACH);
	umount2("/sys", MNT_DETACH);
	umount2("/proc", MNT_DETACH);
	unlink("/dev/null");
	unlink("/init");
	printf("wrecked\n");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned long number = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (!strcmp(what, "say"))
		return say();
	if (!strcmp(what, "exit"))
		return number;
	if (!strcmp(what, "raise"))
		return raise(number);
	if (!strcmp(what, "immortal"))
		for (prctl(PR_SET_NAME, what);;)
			pause();
	if (!strcmp(what, "hang"))
		for (printf("before\n"), fflush(stdout);;)
			pause();
	if (!strcmp(what, "spin"))
		for (;;)
			printf("again and again\n");
	if (!strcmp(what, "daemon"))
		return daemonise(false);
	if (!strcmp(what, "daemon-hang"))
		return daemonise(true);
	if (!strcmp(what, "killall"))
		return kill(-1, SIGKILL) < 0 && errno != ESRCH;
	if (!strcmp(what, "others"))
		return count_others();
	if (!strcmp(what, "chatter"))
		return chatter(number);
	if (!strcmp(what, "surroundings"))
		return surroundings();
	if (!strcmp(what, "snoop"))
		return snoop();
	if (!strcmp(what, "wreck"))
		return wreck();
	return 99;
}
