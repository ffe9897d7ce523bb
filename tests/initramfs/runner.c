// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a job as init does, but on the host, as process 1 of a pid namespace, with standard output as result channel.
 * Nothing of this is in the init of a guest.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../initramfs/init/clean.h"
#include "../../initramfs/init/job.h"
#include "../../initramfs/init/records.h"
#include "../../initramfs/init/steps.h"
#include "../../initramfs/init/system.h"

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vdprintf(2, format, args);
	va_end(args);
	exit(9);
}

int main(int argc, char **argv)
{
	struct job job = { 0 };
	const char *wrong;

	if (argc != 2 || getpid() != 1)
		die("wants a job and a pid namespace of its own");
	wrong = job_read(argv[1], &job);
	if (wrong)
		die("%s", wrong);
	int channel = fcntl(1, F_DUPFD_CLOEXEC, 10);
	fcntl(channel, F_SETFL, fcntl(channel, F_GETFL) | O_NONBLOCK);
	records_open(channel);
	clean_prepare();
	record_hello(job.nonce, job.step_count);
	records_flush();
	heartbeat_every(job.heartbeat_ns);
	for (size_t i = 0; i < job.step_count; i++)
		step_run(&job, i);
	record_end(job.nonce);
	records_flush();
	return 0;
}
