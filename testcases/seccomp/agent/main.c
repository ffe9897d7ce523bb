// SPDX-License-Identifier: GPL-2.0-or-later
/* agent BATCH: attaches stacks of filters, makes calls under them, and tells on standard output what came back. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "batch.h"
#include "run.h"

#define VERSION 1

/* Some kernels note on the console every program that dies of a fault, and ours do so all the time. */
static void be_quiet(void)
{
	int fd = open("/proc/sys/debug/exception-trace", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "0", 1) != 1)
		die("exception-trace");
	close(fd);
}

int main(int argc, char **argv)
{
	struct batch batch = { 0 };

	if (argc != 2) {
		errno = EINVAL;
		die("usage: agent BATCH");
	}
	be_quiet();
	batch_read(&batch, argv[1]);
	stream_begin(RECORD_HELLO);
	stream_word(VERSION);
	for (int door = 0; door < DOORS; door++)
		stream_long(call_address(door));
	stream_end();
	run_batch(&batch);
	stream_begin(RECORD_END);
	stream_end();
	stream_flush();
	return 0;
}
