/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent says, as records on standard output; testcases/seccomp/agent/observation.py reads them. */
#ifndef RIG_STREAM_H
#define RIG_STREAM_H

#include <stddef.h>
#include <stdint.h>

enum record {
	RECORD_HELLO = 1,
	RECORD_NATURAL,		/* a table's results without any filter */
	RECORD_BEGIN,		/* a stack begins: sent before anything of it happens */
	RECORD_ATTACH,
	RECORD_CACHE,
	RECORD_RUNS,		/* a table's results under the stack */
	RECORD_CALL,
	RECORD_DONE,		/* a stack is done with */
	RECORD_END,		/* the last record */
	RECORD_BETWEEN,		/* calls made before the next filter was attached */
};

enum kind {
	KIND_NOTHING,		/* not made */
	KIND_SAME,		/* what the same call returned without a filter */
	KIND_RETURNED,		/* value: what it returned */
	KIND_TRAPPED,		/* SIGSYS with the right si_syscall, si_arch, si_call_addr; value: si_errno */
	KIND_TRAPPED_ODDLY,	/* SIGSYS with something wrong in it; value: si_syscall */
	KIND_SIGNALLED,		/* another signal reached the process; value: which */
	KIND_KILLED,		/* value: the signal */
	KIND_EXITED,		/* value: the status */
	KIND_BLOCKED,		/* had not come back in time */
	KIND_LEFT_OUT,		/* not made: the calls before it ended as many tasks as a stack gets */
};

struct outcome {
	uint32_t kind;
	int32_t value;
};

void stream_begin(enum record record);
void stream_word(uint32_t word);
void stream_long(uint64_t number);
void stream_bytes(const void *data, size_t size);
/* Ends the record; it is sent once the buffer is full. */
void stream_end(void);
/* Sends what is buffered and waits until whoever reads has taken it out of the pipe. */
void stream_flush(void);

_Noreturn void die(const char *what);

#endif
