/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One system call with every register under control, through each door that the ABI has. */
#ifndef RIG_CALL_H
#define RIG_CALL_H

#include <stdbool.h>
#include <stdint.h>

/* What the filters see of it, but for arch and instruction pointer; call.c knows the offsets. */
struct call {
	uint64_t nr;		/* 32 bits, zero-extended */
	uint64_t args[6];
};

enum door {
	DOOR_NATIVE,
	DOOR_SECOND,		/* by the instruction of another ABI, where abi.h has one */
	DOORS
};

/* The call's return value. Never interrupted halfway: a handler that leaves by siglongjmp() may interrupt it. */
long call_through(enum door door, const struct call *call);

/* seccomp_data.instruction_pointer of such a call; 0 where there is no such door. */
uint64_t call_address(enum door door);

/* AUDIT_ARCH of the calls of a door; 0 where there is no such door. */
uint32_t call_arch(enum door door);

/*
 * Calls that have no harmless arguments: they end the process, replace its registers or its clock, or never come back. In bulk
 * they are left out.
 */
bool call_is_unsafe(enum door door, uint32_t nr);

#endif
