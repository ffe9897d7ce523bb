// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Process 1 of every guest. It reads its job from the image, says on the result channel what happens and ends the guest.
 *
 * What it must survive: a test that kills everything (process 1 has no handler but an empty one for SIGCHLD, so the
 * kernel drops every other signal to it), that fills the memory (it is exempt from the OOM killer), that closes, mounts
 * or deletes whatever it finds (everything needed is open before the first step).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "await.h"
#include "clean.h"
#include "job.h"
#include "mounts.h"
#include "port.h"
#include "records.h"
#include "shell.h"
#include "steps.h"
#include "system.h"

#define JOB_PATH "/rig/job"
#define PORT_NAME "rig.results"
#define PORT_PATIENCE_NS (10 * 1000000000ull)
#define SHELL_PATIENCE_NS (1 * 1000000000ull)	/* a shell works without it too */

/*
 * A reset, which QEMU's -no-reboot turns into its end. Power-off would not do on every machine: microvm without ACPI has
 * no such thing and would halt for ever.
 */
static _Noreturn void leave(void)
{
	reboot(RB_AUTOBOOT);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();	/* process 1 may not end: that is a panic */
}

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	dprintf(2, "rig-init: cannot go on: ");
	vdprintf(2, format, args);
	dprintf(2, "\n");
	va_end(args);
	leave();
}

/* The kernel opens /dev/console for init, unless there is none; pipes must not land on 0, 1 or 2. */
static void fill_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < 2);
	if (fd > 2)
		close(fd);
}

/* Steps read nothing: their standard input is /dev/null, taken before any step can spoil /dev. */
static void null_input(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd > 0)
		dup2(fd, 0);
}

static void set_sysctls(const struct job *job)
{
	char path[256];
	int error;

	for (size_t i = 0; i < job->sysctl_count; i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", job->sysctls[i].name);
		error = write_text(path, job->sysctls[i].value);
		if (error)
			record_note(RECORDS_NO_STEP, "sysctl %s: %s", job->sysctls[i].name, strerror(-error));
	}
}

/* Everything that only programs need; an empty job spares it. */
static void prepare(const struct job *job)
{
	mounts_rest();
	write_text("/proc/self/oom_score_adj", "-1000");
	write_text("/proc/sys/kernel/printk_devkmsg", "on");	/* or the landmarks of many short steps are dropped */
	shell_install();
	set_sysctls(job);
}

static int taint_fd = -1;	/* opened before the first step, which may unmount /proc */

/* The kernel's own word on whether it is still well. A kernel without CONFIG_PROC_SYSCTL has no such file. */
static void report_taint(void)
{
	char text[32];
	ssize_t got = taint_fd < 0 ? 0 : pread(taint_fd, text, sizeof(text) - 1, 0);

	if (got <= 0)
		return;
	text[got] = 0;
	record_taint(strtoull(text, NULL, 10));
}

static void run_job(const struct job *job, int port)
{
	if (!job->shell)
		null_input();
	record_hello(job->nonce, job->step_count);
	records_flush();
	heartbeat_every(job->heartbeat_ns);
	if (job->shell || job->step_count)
		prepare(job);
	if (job->shell)
		shell_run(job, port);
	for (size_t i = 0; !job->shell && i < job->step_count; i++)
		step_run(job, i);
	report_taint();
	record_end(job->nonce);
	records_flush();
	records_push_out(job->answer_ns);
}

/* The nonce is not for the tests: the file is gone before the first of them. */
static void take_job(struct job *job)
{
	const char *wrong;

	*job = (struct job){ 0 };
	wrong = job_read(JOB_PATH, job);
	if (wrong)
		die("%s: %s", JOB_PATH, wrong);
	unlink(JOB_PATH);
}

int main(void)
{
	struct job job;
	int fd;

	if (getpid() != 1)
		return 1;	/* started by hand on some machine: nothing to do there */
	fill_descriptors();
	umask(022);
	clean_prepare();
	mounts_first();
	taint_fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);
	take_job(&job);
	fd = port_open(PORT_NAME, job.shell ? SHELL_PATIENCE_NS : PORT_PATIENCE_NS);
	if (fd < 0 && !job.shell)
		die("result channel %s: %s", PORT_NAME, strerror(errno));
	records_open(fd);
	if (job.wait) {
		await_job(fd);
		take_job(&job);
	}
	run_job(&job, fd);
	leave();
}
