/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest instructions, read in user space. On a counted guest (guests/qemu/machine.py) an instruction takes 1 ns of guest time,
 * and the counters below run at 1 GHz: the TSC of QEMU always does, the arm ones because the machine's file says so.
 * On any other guest they are wall time, at a rate that has to be measured.
 */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

static inline uint64_t counter(void)
{
#if defined(__x86_64__) || defined(__i386__)
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
	uint64_t value;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(value) : : "memory");
	return value;
#elif defined(__arm__)
	uint64_t value;

	__asm__ volatile("mrrc p15, 1, %Q0, %R0, c14" : "=r"(value) : : "memory");
	return value;
#else
#error "no counter that user space can read"
#endif
}

/*
 * Does nothing. A number of marks before a look at the counter tells QEMU's plugin (guests/tracer/windows.c) that a window
 * to be explained begins there, and which one it is.
 */
static inline void mark(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"MARK\"" : : : "memory");	/* nopl 0x4b52414d(%rax) */
#elif defined(__aarch64__)
	__asm__ volatile("hint #127" : : : "memory");
#elif defined(__arm__)
	__asm__ volatile("dbg #15" : : : "memory");
#endif
}

/* A system call without the C library around it: `number` as the ABI enters it, one argument, the rest as they are. */
static inline long raw_call(unsigned long number, unsigned long argument)
{
#if defined(__x86_64__)
	unsigned long result;

	/* All eight bytes of each register are set, on x32 too. */
	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(argument) : "rcx", "r11", "memory");
	return result;
#elif defined(__i386__)
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(argument) : "memory");
	return result;
#elif defined(__aarch64__)
	register unsigned long x8 __asm__("x8") = number;
	register unsigned long x0 __asm__("x0") = argument;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8) : "memory");
	return x0;
#elif defined(__arm__)
	register unsigned long r7 __asm__("r7") = number;
	register unsigned long r0 __asm__("r0") = argument;

	__asm__ volatile("svc #0" : "+r"(r0) : "r"(r7) : "memory");
	return r0;
#endif
}

#endif
