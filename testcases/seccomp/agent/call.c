// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Written in assembly so that the instruction behind the call has one address, a label, on every path that leads here.
 * Registers: syscall(2), "Architecture calling conventions". The functions are those of the architecture's file.
 */
#include <linux/audit.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "call.h"

long native_call(const struct call *call);
extern const char native_call_end[];

#define ABI_CALL
#include "abi.h"

#ifdef HAVE_SECOND
long second_call(const struct call *call);
extern const char second_call_end[];
#endif

long call_through(enum door door, const struct call *call)
{
#ifdef HAVE_SECOND
	if (door == DOOR_SECOND)
		return second_call(call);
#endif
	(void)door;
	return native_call(call);
}

uint64_t call_address(enum door door)
{
#ifdef HAVE_SECOND
	if (door == DOOR_SECOND)
		return (uintptr_t)second_call_end;
#endif
	return door == DOOR_NATIVE ? (uintptr_t)native_call_end : 0;
}

uint32_t call_arch(enum door door)
{
#ifdef HAVE_SECOND
	if (door == DOOR_SECOND)
		return AUDIT_ARCH_I386;
#endif
	return door == DOOR_NATIVE ? ABI_AUDIT_ARCH : 0;
}

/* By the names of <sys/syscall.h>; an ABI has only some of them. */
static const uint32_t unsafe_native[] = {
	SYS_exit, SYS_exit_group, SYS_rt_sigreturn,
#ifdef SYS_alarm
	SYS_alarm,
#endif
#ifdef SYS_fork
	SYS_fork,
#endif
#ifdef SYS_pause
	SYS_pause,
#endif
#ifdef SYS_sigreturn
	SYS_sigreturn,
#endif
#ifdef SYS_sigsuspend
	SYS_sigsuspend,
#endif
#ifdef SYS_ssetmask
	SYS_ssetmask,
#endif
#ifdef SYS_vfork
	SYS_vfork,
#endif
#ifdef UNSAFE_NUMBERS
	UNSAFE_NUMBERS,
#endif
};

#ifdef HAVE_SECOND
static const uint32_t unsafe_second[] = { UNSAFE_SECOND };
#endif

#ifndef SAME_CALL
#define SAME_CALL (~0u)
#endif

bool call_is_unsafe(enum door door, uint32_t nr)
{
	const uint32_t *list = unsafe_native;
	size_t count = sizeof(unsafe_native) / sizeof(*unsafe_native);

#ifdef HAVE_SECOND
	if (door == DOOR_SECOND) {
		list = unsafe_second;
		count = sizeof(unsafe_second) / sizeof(*unsafe_second);
	}
#endif
	(void)door;
	for (; count--; list++) {
		if (!((*list ^ nr) & SAME_CALL))
			return true;
	}
	return false;
}
