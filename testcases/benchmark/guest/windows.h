/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which windows of the program are to be explained: figures by name in the file that testcases/benchmark/windows.py writes.
 *
 * A tick comes when so many instructions were executed, and what an allocator does depends on ticks. So the file has the
 * same size whether or not it names any figure, and what is done here takes the same number of instructions: the guest that
 * is traced does exactly what the one did that was measured.
 */
#ifndef WINDOWS_H
#define WINDOWS_H

#define WINDOW_COST 1		/* marks of a window with nothing in it */
#define WINDOW_FIRST 2		/* of the first figure; each further one has one more */

/* Ends the program with a message if the file cannot be read. */
void windows_read(void);

/* The windows from here on are samples of this figure; children inherit that. */
void windows_of(const char *figure);

/* Whether figures are to be explained and all of them were measured, so that the program may end. */
int windows_done(void);

/* To be called directly before the first look at the counter. */
void window_begins(void);

/* The same for a window with nothing in it. */
void cost_window_begins(void);

#endif
