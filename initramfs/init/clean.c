// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Init is process 1: every orphan becomes its child, and kill(-1) reaches every process, daemons and those of inner pid
 * namespaces included, at once and with no gap for a fork to slip through. No cgroup is needed for either.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clean.h"
#include "records.h"
#include "system.h"

#define PF_KTHREAD 0x00200000	/* include/linux/sched.h; field 9 of /proc/PID/stat */
#define STUCK_LIMIT 64
#define NOTED_LIMIT 16

static pid_t stuck[STUCK_LIMIT];	/* given up */
static unsigned int stuck_count;
static sigset_t sigchld_open;

struct process {
	pid_t pid;
	char name[32];
	char state;
	bool alive;	/* a user process with a thread that has not ended */
};

static void on_sigchld(int signal)
{
	(void)signal;
}

void clean_prepare(void)
{
	struct sigaction action = { .sa_handler = on_sigchld };
	sigset_t only_sigchld;

	sigemptyset(&only_sigchld);
	sigaddset(&only_sigchld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &only_sigchld, &sigchld_open);
	sigdelset(&sigchld_open, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
}

void clean_child(void)
{
	sigset_t none;

	/* Ignored signals outlive an exec, whoever had them ignored. */
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void wait_for(struct pollfd *fds, int count, uint64_t until)
{
	uint64_t now = now_ns();
	uint64_t span = heartbeat(now);
	struct timespec timeout;

	records_flush();
	if (until < now + span)
		span = until > now ? until - now : 0;
	timeout.tv_sec = span / 1000000000;
	timeout.tv_nsec = span % 1000000000;
	ppoll(fds, count, &timeout, &sigchld_open);
}

bool reap(pid_t wanted, int *status)
{
	bool found = false;
	int last;
	pid_t pid;

	while ((pid = waitpid(-1, &last, WNOHANG)) > 0) {
		if (pid == wanted) {
			*status = last;
			found = true;
		}
	}
	return found;
}

/* `pid (name) state ppid … flags(9) … num_threads(20)`: proc(5). The name may hold anything, so count from its last `)`. */
static bool read_process(const char *pid, struct process *process)
{
	char path[64], text[1024];
	char *name, *rest;
	unsigned int flags = 0, threads = 0;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (read_text(path, text, sizeof(text)) <= 0)
		return false;
	name = strchr(text, '(');
	rest = strrchr(text, ')');
	if (!name || !rest)
		return false;
	*rest++ = 0;
	process->pid = atoi(pid);
	snprintf(process->name, sizeof(process->name), "%s", name + 1);
	if (sscanf(rest, " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %u", &process->state,
		   &flags, &threads) != 3)
		return false;
	process->alive = !(flags & PF_KTHREAD) && ((process->state != 'Z' && process->state != 'X') || threads > 1);
	return true;
}

static bool is_stuck(pid_t pid)
{
	for (unsigned int i = 0; i < stuck_count; i++)
		if (stuck[i] == pid)
			return true;
	return false;
}

/* Calls `visit` for every live process but init itself and those given up. Returns how many there are, or -1 if a test has
 * taken /proc away. */
static int each_process(void (*visit)(const struct process *process, void *context), void *context)
{
	struct process process;
	struct dirent *item;
	int count = 0;
	DIR *folder = opendir("/proc");

	if (!folder || access("/proc/self/stat", R_OK) < 0) {
		if (folder)
			closedir(folder);
		return -1;
	}
	while ((item = readdir(folder))) {
		if (!isdigit((unsigned char)item->d_name[0]) || !read_process(item->d_name, &process))
			continue;
		if (process.pid == getpid() || process.pid == 1 || !process.alive || is_stuck(process.pid))
			continue;
		count++;
		if (visit)
			visit(&process, context);
	}
	closedir(folder);
	return count;
}

static void give_up(const struct process *process, void *step)
{
	record_note(*(uint32_t *)step, "process %d (%s), state %c, could not be killed", process->pid, process->name,
		    process->state);
	if (stuck_count < STUCK_LIMIT)
		stuck[stuck_count++] = process->pid;
}

static bool nobody_left(void)
{
	int status;

	reap(0, &status);
	/* No child at all means no process at all, for each has init among its forebears; it also spares the walk. */
	if (waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD)
		return true;
	return each_process(NULL, NULL) == 0;
}

unsigned int kill_all(uint32_t step, uint64_t grace_ns)
{
	uint64_t end = now_ns() + grace_ns;
	int left;

	if (getpid() != 1)
		die("only process 1 may kill all others");	/* a test of these files gone astray */
	while (now_ns() < end) {
		kill(-1, SIGKILL);
		if (nobody_left())
			return 0;
		wait_for(NULL, 0, now_ns() + 10 * 1000000);
	}
	left = each_process(give_up, &step);
	if (left < 0)
		record_note(step, "something could not be killed; /proc is gone, so there is no telling what");
	return left < 0 ? 1 : left;
}

/* One line per fact; a file that a kernel does not have is left out. */
static void describe(const struct process *process, void *context)
{
	static const char *const facts[] = { "wchan", "syscall", "stack" };
	unsigned int *count = context;
	char path[64], text[2048];

	if (++*count > NOTED_LIMIT)
		return;
	printf("process %d (%s), state %c\n", process->pid, process->name, process->state);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", process->pid, facts[i]);
		if (read_text(path, text, sizeof(text)) > 0)
			printf("%s: %s\n", facts[i], text);
	}
	fflush(stdout);
}

static void describe_all(int fd)
{
	unsigned int count = 0;

	dup2(fd, 1);
	each_process(describe, &count);
	_exit(0);
}

/*
 * A process of its own looks, because some of these files take locks that a stuck process may hold. It is killed with
 * the others if it does not come back.
 */
void note_processes(uint32_t step, uint64_t grace_ns)
{
	uint64_t end = now_ns() + grace_ns;
	struct pollfd want = { .events = POLLIN };
	char text[3800];
	ssize_t got = 1;
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		return;
	pid = fork();
	if (pid == 0)
		describe_all(fds[1]);
	close(fds[1]);
	want.fd = fds[0];
	while (pid > 0 && got > 0 && now_ns() < end) {
		want.revents = 0;
		wait_for(&want, 1, end);
		if (!want.revents)
			continue;
		got = read(fds[0], text, sizeof(text) - 1);
		if (got > 0)
			record_note(step, "%.*s", (int)got, text);
	}
	close(fds[0]);
}
