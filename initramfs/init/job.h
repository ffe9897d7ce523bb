/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to do: /rig/job, written by initramfs/job.py, where the format stands. */
#ifndef RIG_JOB_H
#define RIG_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct step {
	const char *name;
	const char *cwd;
	uint64_t timeout_ns;
	char **argv;	/* these three end with NULL */
	char **env;	/* NAME=value */
	char **files;	/* to be sent back after the step */
};

struct sysctl {
	const char *name;	/* below /proc/sys, with slashes */
	const char *value;
};

struct job {
	const char *nonce;
	bool shell;
	bool wait;	/* for another job, see await.h */
	uint64_t heartbeat_ns;
	uint64_t grace_ns;	/* for killed processes to be gone */
	uint64_t answer_ns;	/* for the host to answer the end marker, 0 if it does not */
	size_t sysctl_count;
	struct sysctl *sysctls;
	size_t step_count;
	struct step *steps;
};

/* Reads the job. Returns NULL, or one line on what is wrong with the file. */
const char *job_read(const char *path, struct job *job);

#endif
