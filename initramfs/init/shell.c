// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "clean.h"
#include "shell.h"
#include "steps.h"
#include "system.h"

#define BUSYBOX "/bin/busybox"

static char *const default_argv[] = { BUSYBOX, "sh", "-l", NULL };
static char *default_env[] = { "TERM=vt102", NULL };

/* Runs a program to its end, without a limit: only for what the rig itself brings along. */
static int run(void (*child)(const void *what), const void *what)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		clean_child();
		child(what);
		_exit(127);
	}
	while (pid > 0 && !reap(pid, &status))
		wait_for(NULL, 0, now_ns() + 1000000000);
	return status;
}

static void exec_install(const void *unused)
{
	(void)unused;
	/* Its own names for /bin and /sbin; -s makes symbolic links. */
	execl(BUSYBOX, "busybox", "--install", "-s", "/bin", NULL);
}

void shell_install(void)
{
	if (access(BUSYBOX, X_OK) == 0 && access("/bin/sh", X_OK) < 0)
		run(exec_install, NULL);
}

/* /dev/console cannot be a controlling terminal; the device behind it, named last in `active`, can. */
static int open_terminal(int flags)
{
	char names[128], path[160];
	char *last;

	if (read_text("/sys/class/tty/console/active", names, sizeof(names)) <= 0)
		return -1;
	last = strrchr(names, ' ');
	snprintf(path, sizeof(path), "/dev/%s", last ? last + 1 : names);
	return open(path, O_RDWR | flags);
}

static void set_size(int terminal, int lines, int columns)
{
	struct winsize size = { .ws_row = lines, .ws_col = columns };

	ioctl(terminal, TIOCSWINSZ, &size);
}

static void set_first_size(void)
{
	const char *lines = getenv("LINES"), *columns = getenv("COLUMNS");

	if (lines && columns)
		set_size(0, atoi(lines), atoi(columns));
	/* They would stay as they are, and programs believe them before they ask the terminal. */
	unsetenv("LINES");
	unsetenv("COLUMNS");
}

/* The size of the user's terminal, as often as it changes: `lines columns\n`. Of several that wait, the last counts. */
static void take_size(int port, int terminal)
{
	char text[1024], *last;
	int lines, columns;
	ssize_t got = read(port, text, sizeof(text) - 1);

	if (got <= 1 || text[got - 1] != '\n')
		return;
	text[got - 1] = 0;
	last = strrchr(text, '\n');
	if (sscanf(last ? last + 1 : text, "%d %d", &lines, &columns) == 2)
		set_size(terminal, lines, columns);
}

static void exec_shell(const void *what)
{
	const struct job *job = what;
	const struct step *step = job->step_count ? job->steps : NULL;
	char *const *argv = step ? step->argv : default_argv;
	int terminal;

	setsid();
	terminal = open_terminal(0);
	if (terminal >= 0) {
		ioctl(terminal, TIOCSCTTY, 1);
		for (int fd = 0; fd < 3; fd++)
			dup2(terminal, fd);
		if (terminal > 2)
			close(terminal);
	}
	write_text("/proc/self/oom_score_adj", "0");
	environ = step_environment(step ? step->env : default_env);
	set_first_size();
	if (chdir(step ? step->cwd : "/") < 0)
		perror(step->cwd);
	execvp(argv[0], argv);
	fprintf(stderr, "rig-init: cannot start %s: %s\n", argv[0], strerror(errno));
}

void shell_run(const struct job *job, int port)
{
	/* The kernel tells the programs in the foreground, as whose controlling terminal it is found: not init's own. */
	struct pollfd sizes = { .fd = port, .events = POLLIN };
	int terminal = open_terminal(O_NOCTTY | O_CLOEXEC);
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		clean_child();
		exec_shell(job);
		_exit(127);
	}
	while (pid > 0 && !reap(pid, &status)) {
		wait_for(&sizes, 1, now_ns() + 1000000000);
		if (sizes.revents & POLLIN)
			take_size(port, terminal);
		else if (sizes.revents)
			sleep_ns(100 * 1000000);	/* POLLHUP at once, as long as nobody is at the other end */
	}
}
