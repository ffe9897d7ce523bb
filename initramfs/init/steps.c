// SPDX-License-Identifier: GPL-2.0-or-later
/* One step: a program in a session of its own, its output on the way to the host while it runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clean.h"
#include "output.h"
#include "records.h"
#include "steps.h"
#include "system.h"

#define FILE_LIMIT (16u << 20)	/* bytes of one collected file */

static const char *const environment[] = {
	"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
	"HOME=/root",
	"USER=root",
	"TMPDIR=/tmp",
	"LC_ALL=C",
};

#define ENVIRONMENT_SIZE (sizeof(environment) / sizeof(*environment))

/* What a child says before it is the program: which call failed and how. Nothing at all when it became the program. */
struct failure {
	char call[12];
	int error;
};

struct run {
	const struct step *step;
	uint32_t number;
	pid_t pid;
	struct output out;
	struct output err;
	int report;		/* read end of the pipe for struct failure, -1 once it is closed */
	struct failure failure;
	uint64_t began;		/* both of step_clock() */
	uint64_t ended;		/* 0 while it runs */
	int status;
};

/* A clock that stands still while init waits for the host: that time is none of the step's. */
static uint64_t step_clock(void)
{
	return now_ns() - records_waited_ns();
}

static bool overridden(const char *variable, char **own)
{
	size_t length = strchr(variable, '=') - variable + 1;

	for (; *own; own++)
		if (!strncmp(*own, variable, length))
			return true;
	return false;
}

char **step_environment(char **own)
{
	size_t count = 0, used = 0;
	char **all;

	while (own[count])
		count++;
	all = calloc(ENVIRONMENT_SIZE + count + 1, sizeof(*all));
	if (!all)
		return own;
	for (size_t i = 0; i < ENVIRONMENT_SIZE; i++)
		if (!overridden(environment[i], own))
			all[used++] = (char *)environment[i];
	memcpy(all + used, own, count * sizeof(*all));
	return all;
}

static _Noreturn void fail(int report, const char *call)
{
	struct failure failure = { .error = errno };

	snprintf(failure.call, sizeof(failure.call), "%s", call);
	if (write(report, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

static _Noreturn void become(const struct step *step, int out, int err, int report)
{
	clean_child();
	setsid();
	write_text("/proc/self/oom_score_adj", "0");
	if (dup2(out, 1) < 0 || dup2(err, 2) < 0)
		fail(report, "dup2");
	umask(022);
	if (chdir(step->cwd) < 0)
		fail(report, "chdir");
	environ = step_environment(step->env);
	execvp(step->argv[0], step->argv);
	fail(report, "exec");
}

/* The kernel's log and the records travel apart; this puts a landmark into the log for whoever reads both. */
static void mark(uint32_t number, const char *name)
{
	char line[256];

	snprintf(line, sizeof(line), "<5>rig: step %u: %s\n", number, name);
	write_text("/dev/kmsg", line);
}

static int start(struct run *run)
{
	int out[2], err[2], report[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(err, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
		return -errno;	/* the descriptors leak, which is the least worry of a guest that ran out of them */
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	fcntl(report[0], F_SETFL, O_NONBLOCK);
	output_open(&run->out, out[0], run->number, 1);
	output_open(&run->err, err[0], run->number, 2);
	run->report = report[0];
	run->pid = fork();
	if (run->pid == 0)
		become(run->step, out[1], err[1], report[1]);
	if (run->pid < 0)
		run->failure.error = errno;
	close(out[1]);
	close(err[1]);
	close(report[1]);
	return -run->failure.error;
}

static void read_report(struct run *run)
{
	struct failure failure;

	if (read(run->report, &failure, sizeof(failure)) == sizeof(failure))
		run->failure = failure;
	close(run->report);
	run->report = -1;
}

/* One round: wait, pass output on, see whether the program has ended. */
static void watch(struct run *run, uint64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = run->out.fd, .events = POLLIN },
		{ .fd = run->err.fd, .events = POLLIN },
		{ .fd = run->report, .events = POLLIN },
	};

	wait_for(fds, 3, deadline);
	if (fds[0].revents)
		output_read(&run->out);
	if (fds[1].revents)
		output_read(&run->err);
	if (fds[2].revents)
		read_report(run);
	if (reap(run->pid, &run->status))
		run->ended = step_clock();
}

static void send_file(uint32_t number, const char *path)
{
	static char chunk[RECORDS_CHUNK];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t sent = 0;
	ssize_t got;

	if (fd < 0) {
		record_note(number, "%s: %s", path, strerror(errno));
		return;
	}
	while ((got = read(fd, chunk, sizeof(chunk))) > 0 && sent < FILE_LIMIT) {
		record_file(number, path, chunk, got);
		sent += got;
	}
	if (got < 0)
		record_note(number, "%s: %s after %zu bytes", path, strerror(errno), sent);
	else if (got > 0)
		record_note(number, "%s: cut off after %zu bytes", path, sent);
	else if (!sent)
		record_file(number, path, "", 0);
	close(fd);
}

/* The EXIT record, by now with everything known. */
static void conclude(const struct run *run, unsigned int unkillable)
{
	uint64_t ns = run->ended - run->began;

	if (run->failure.error) {
		record_note(run->number, "%s: %s: %s", run->failure.call,
			    strcmp(run->failure.call, "chdir") ? run->step->argv[0] : run->step->cwd,
			    strerror(run->failure.error));
		record_exit(run->number, HOW_NOT_STARTED, run->failure.error, ns);
	} else if (!run->pid) {
		record_exit(run->number, HOW_TIMEOUT, unkillable, ns);
	} else if (WIFSIGNALED(run->status)) {
		record_exit(run->number, HOW_SIGNALLED, WTERMSIG(run->status), ns);
	} else {
		record_exit(run->number, HOW_EXITED, WEXITSTATUS(run->status), ns);
	}
}

void step_run(const struct job *job, uint32_t number)
{
	struct run run = { .step = &job->steps[number], .number = number, .report = -1 };
	uint64_t deadline;
	int error;

	record_start(number);
	records_flush();
	mark(number, run.step->name);
	output_open(&run.out, -1, number, 1);
	output_open(&run.err, -1, number, 2);
	run.began = step_clock();
	error = start(&run);
	if (error) {
		run.failure = (struct failure){ .call = "fork", .error = -error };
		run.ended = step_clock();
	}
	deadline = run.began + run.step->timeout_ns;
	while (!run.ended) {
		watch(&run, deadline + records_waited_ns());
		if (!run.ended && step_clock() >= deadline) {
			note_processes(number, job->grace_ns);
			run.ended = step_clock();
			run.pid = 0;
		}
	}
	error = kill_all(number, job->grace_ns);
	if (run.report >= 0)
		read_report(&run);
	output_close(&run.out);
	output_close(&run.err);
	for (char **file = run.step->files; *file; file++)
		send_file(number, *file);
	conclude(&run, error);
	records_flush();
}
