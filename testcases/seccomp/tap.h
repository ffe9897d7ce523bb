/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the programs that are suites of their own: a line of TAP for each test, and what was wrong above one that failed. */
#ifndef RIG_TAP_H
#define RIG_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int count;
static char complaint[256];

static bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* False, so that a test can return it. */
static bool wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(complaint, sizeof(complaint), format, args);
	va_end(args);
	return false;
}

static bool report(const char *name, bool good)
{
	if (good)
		printf("ok %d %s\n", ++count, name);
	else
		printf("# %s\nnot ok %d %s\n", complaint, ++count, name);
	fflush(stdout);
	return good;
}

#endif
