// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "windows.h"

#define FILE_NAME "windows"	/* in the program's folder, in which it is started */
#define MOST 16
#define NAME_SIZE 96		/* with zeros behind the name */

static char wanted[MOST][NAME_SIZE];
static unsigned int marks;

void windows_read(void)
{
	FILE *file = fopen(FILE_NAME, "rb");

	if (!file)
		err(1, FILE_NAME);
	if (fread(wanted, sizeof(wanted), 1, file) != 1)
		errx(1, "%s ends too early", FILE_NAME);
	fclose(file);
}

void windows_of(const char *figure)
{
	marks = 0;
	for (unsigned int i = 0; i < MOST; i++)
		if (!strncmp(wanted[i], figure, NAME_SIZE))
			marks = WINDOW_FIRST + i;
}

void window_begins(void)
{
	mark(marks);
}
