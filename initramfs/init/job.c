// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads /rig/job: a row of strings, each ended by NUL. Nothing here is ever freed; init lives as long as the guest. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job.h"

#define MAGIC "rig-job/2"
#define COUNT_LIMIT 65536

/* What is left to read. Once `wrong` is set, every further step is a no-op. */
struct reader {
	char *at;
	char *end;
	const char *wrong;
};

static char *next_string(struct reader *reader)
{
	char *text = reader->at;
	char *nul;

	if (reader->wrong)
		return NULL;
	nul = memchr(text, 0, reader->end - text);
	if (!nul) {
		reader->wrong = "ends too early";
		return NULL;
	}
	reader->at = nul + 1;
	return text;
}

static uint64_t next_number(struct reader *reader)
{
	char *text = next_string(reader);
	char *rest;
	uint64_t number;

	if (!text)
		return 0;
	errno = 0;
	number = strtoull(text, &rest, 10);
	if (*text < '0' || *text > '9' || *rest || errno)
		reader->wrong = "holds a malformed number";
	return number;
}

/* Room for `extra` more elements than the count that is read next. */
static void *next_array(struct reader *reader, size_t *count, size_t size, size_t extra)
{
	uint64_t number = next_number(reader);
	void *array;

	*count = 0;
	if (number > COUNT_LIMIT && !reader->wrong)
		reader->wrong = "holds a count beyond reason";
	if (reader->wrong)
		return NULL;
	array = calloc(number + extra, size);
	if (!array)
		reader->wrong = "does not fit into memory";
	else
		*count = number;
	return array;
}

static char **next_strings(struct reader *reader)
{
	size_t count;
	char **strings = next_array(reader, &count, sizeof(*strings), 1);

	for (size_t i = 0; i < count; i++)
		strings[i] = next_string(reader);
	return strings;
}

static void next_step(struct reader *reader, struct step *step)
{
	step->name = next_string(reader);
	step->cwd = next_string(reader);
	step->timeout_ns = next_number(reader);
	step->argv = next_strings(reader);
	step->env = next_strings(reader);
	step->files = next_strings(reader);
	if (!reader->wrong && !step->argv[0])
		reader->wrong = "holds a step without a program";
}

static void expect(struct reader *reader, const char *wanted, const char *otherwise)
{
	char *text = next_string(reader);

	if (text && strcmp(text, wanted))
		reader->wrong = otherwise;
}

static void read_all(struct reader *reader, struct job *job)
{
	char *mode;

	expect(reader, MAGIC, "is of another version than this init");
	job->nonce = next_string(reader);
	mode = next_string(reader);
	job->shell = mode && !strcmp(mode, "shell");
	job->wait = mode && !strcmp(mode, "wait");
	if (mode && !job->shell && !job->wait && strcmp(mode, "run"))
		reader->wrong = "names an unknown mode";
	job->heartbeat_ns = next_number(reader);
	job->grace_ns = next_number(reader);
	job->answer_ns = next_number(reader);
	job->sysctls = next_array(reader, &job->sysctl_count, sizeof(*job->sysctls), 0);
	for (size_t i = 0; i < job->sysctl_count; i++) {
		job->sysctls[i].name = next_string(reader);
		job->sysctls[i].value = next_string(reader);
	}
	job->steps = next_array(reader, &job->step_count, sizeof(*job->steps), 0);
	for (size_t i = 0; i < job->step_count; i++)
		next_step(reader, &job->steps[i]);
	expect(reader, "end", "goes on after its last step");
	if (!reader->wrong && reader->at != reader->end)
		reader->wrong = "goes on after its end";
}

/* The whole file in memory, or what the system says about it. */
static const char *slurp(const char *path, struct reader *reader)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	char *data;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &info) < 0 || !(data = malloc(info.st_size + 1))) {
		close(fd);
		return strerror(errno);
	}
	for (off_t used = 0; used < info.st_size; used += got) {
		got = read(fd, data + used, info.st_size - used);
		if (got <= 0) {
			close(fd);
			free(data);
			return got ? strerror(errno) : "became shorter";
		}
	}
	close(fd);
	reader->at = data;
	reader->end = data + info.st_size;
	return NULL;
}

const char *job_read(const char *path, struct job *job)
{
	struct reader reader = { 0 };
	const char *wrong = slurp(path, &reader);

	if (wrong)
		return wrong;
	read_all(&reader, job);
	return reader.wrong;
}
