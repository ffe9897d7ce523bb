/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things that every part of init needs. */
#ifndef RIG_SYSTEM_H
#define RIG_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Ends the guest with `rig-init: cannot go on: …` on the console. Whoever links these files supplies it. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_ns(void);	/* CLOCK_MONOTONIC: tests set the other clock */
void sleep_ns(uint64_t ns);

/* A short text file without its last newline, at most size - 1 bytes. Returns the length, or -errno. */
ssize_t read_text(const char *path, char *text, size_t size);
/* Returns 0 or -errno. */
int write_text(const char *path, const char *text);

#endif
