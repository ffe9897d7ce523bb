// SPDX-License-Identifier: GPL-2.0-or-later
/* Prints a job as init has read it, each word ended by NUL, each list by `|`; or what is wrong, with exit status 1. */
#include <stdio.h>

#include "../../initramfs/init/job.h"

static void put(const char *word)
{
	fputs(word, stdout);
	putchar(0);
}

static void put_number(uint64_t number)
{
	printf("%llu", (unsigned long long)number);
	putchar(0);
}

static void put_list(char **words)
{
	while (*words)
		put(*words++);
	put("|");
}

int main(int argc, char **argv)
{
	struct job job = { 0 };
	const char *wrong = argc == 2 ? job_read(argv[1], &job) : "usage";

	if (wrong) {
		put(wrong);
		return 1;
	}
	put(job.nonce);
	put(job.shell ? "shell" : job.wait ? "wait" : "run");
	put_number(job.heartbeat_ns);
	put_number(job.answer_ns);
	for (size_t i = 0; i < job.sysctl_count; i++) {
		put(job.sysctls[i].name);
		put(job.sysctls[i].value);
	}
	for (size_t i = 0; i < job.step_count; i++) {
		put(job.steps[i].name);
		put(job.steps[i].cwd);
		put_number(job.steps[i].timeout_ns);
		put_list(job.steps[i].argv);
		put_list(job.steps[i].env);
		put_list(job.steps[i].files);
	}
	return 0;
}
