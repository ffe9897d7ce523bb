// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into test programs. Their standard output is a pipe, which the C library would fill in blocks of four thousand
 * bytes: a test that hangs or dies takes what it has said with it, and each fork repeats what is still in the buffer.
 */
#include <stdio.h>

__attribute__((constructor)) static void by_line(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}
