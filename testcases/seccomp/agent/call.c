// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Written in assembly so that the instruction behind the call has one address, a label, on every path that leads here.
 * Registers: syscall(2), "Architecture calling conventions".
 */
#include <linux/audit.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "call.h"

long native_call(const struct call *call);
extern const char native_call_end[];

#if defined(__x86_64__)

asm(".text\n"
    ".globl native_call, native_call_end\n"
    "native_call:\n"
#ifdef __ILP32__
    "	mov %edi, %edi\n"
#endif
    "	mov (%rdi), %eax\n"
    "	mov 16(%rdi), %rsi\n"
    "	mov 24(%rdi), %rdx\n"
    "	mov 32(%rdi), %r10\n"
    "	mov 40(%rdi), %r8\n"
    "	mov 48(%rdi), %r9\n"
    "	mov 8(%rdi), %rdi\n"
    "	syscall\n"
    "native_call_end:\n"
    "	ret\n");

#define NATIVE_ARCH AUDIT_ARCH_X86_64

#ifndef __ILP32__
#define HAVE_INT80

long int80_call(const struct call *call);
extern const char int80_call_end[];

asm(".text\n"
    ".globl int80_call, int80_call_end\n"
    "int80_call:\n"
    "	push %rbx\n"
    "	push %rbp\n"
    "	mov (%rdi), %eax\n"
    "	mov 8(%rdi), %ebx\n"
    "	mov 16(%rdi), %ecx\n"
    "	mov 24(%rdi), %edx\n"
    "	mov 32(%rdi), %esi\n"
    "	mov 48(%rdi), %ebp\n"
    "	mov 40(%rdi), %edi\n"
    "	int $0x80\n"
    "int80_call_end:\n"
    "	pop %rbp\n"
    "	pop %rbx\n"
    "	ret\n");
#endif

#elif defined(__i386__)

asm(".text\n"
    ".globl native_call, native_call_end\n"
    "native_call:\n"
    "	push %ebx\n"
    "	push %esi\n"
    "	push %edi\n"
    "	push %ebp\n"
    "	mov 20(%esp), %edi\n"
    "	mov (%edi), %eax\n"
    "	mov 8(%edi), %ebx\n"
    "	mov 16(%edi), %ecx\n"
    "	mov 24(%edi), %edx\n"
    "	mov 32(%edi), %esi\n"
    "	mov 48(%edi), %ebp\n"
    "	mov 40(%edi), %edi\n"
    "	int $0x80\n"
    "native_call_end:\n"
    "	pop %ebp\n"
    "	pop %edi\n"
    "	pop %esi\n"
    "	pop %ebx\n"
    "	ret\n");

#define NATIVE_ARCH AUDIT_ARCH_I386

#elif defined(__aarch64__)

asm(".text\n"
    ".globl native_call, native_call_end\n"
    "native_call:\n"
    "	mov x9, x0\n"
    "	ldr x8, [x9]\n"
    "	ldp x0, x1, [x9, #8]\n"
    "	ldp x2, x3, [x9, #24]\n"
    "	ldp x4, x5, [x9, #40]\n"
    "	svc #0\n"
    "native_call_end:\n"
    "	ret\n");

#define NATIVE_ARCH AUDIT_ARCH_AARCH64

#elif defined(__arm__)

asm(".text\n"
    ".balign 4\n"
    ".arm\n"
    ".globl native_call, native_call_end\n"
    ".type native_call, %function\n"
    "native_call:\n"
    "	push {r4, r5, r7, lr}\n"
    "	mov ip, r0\n"
    "	ldr r7, [ip]\n"
    "	ldr r0, [ip, #8]\n"
    "	ldr r1, [ip, #16]\n"
    "	ldr r2, [ip, #24]\n"
    "	ldr r3, [ip, #32]\n"
    "	ldr r4, [ip, #40]\n"
    "	ldr r5, [ip, #48]\n"
    "	svc #0\n"
    "native_call_end:\n"
    "	pop {r4, r5, r7, pc}\n"
#ifdef __thumb__
    ".thumb\n"
#endif
    );

#define NATIVE_ARCH AUDIT_ARCH_ARM

#else
#error "no such ABI yet"
#endif

long call_through(enum door door, const struct call *call)
{
#ifdef HAVE_INT80
	if (door == DOOR_INT80)
		return int80_call(call);
#endif
	(void)door;
	return native_call(call);
}

uint64_t call_address(enum door door)
{
#ifdef HAVE_INT80
	if (door == DOOR_INT80)
		return (uintptr_t)int80_call_end;
#endif
	return door == DOOR_NATIVE ? (uintptr_t)native_call_end : 0;
}

uint32_t call_arch(enum door door)
{
#ifdef HAVE_INT80
	if (door == DOOR_INT80)
		return AUDIT_ARCH_I386;
#endif
	return door == DOOR_NATIVE ? NATIVE_ARCH : 0;
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
#ifdef __x86_64__
	/*
	 * Each of the two ABIs reaches the other's rt_sigreturn (arch/x86/entry/syscalls/syscall_64.tbl); and uretprobe of 6.11 sends
	 * SIGILL to whom it did not start.
	 */
	15, 513, 335,
#endif
};

#ifdef HAVE_INT80
/* exit, fork, alarm, pause, ssetmask, sigsuspend, sigreturn, rt_sigreturn, vfork, exit_group of i386 */
static const uint32_t unsafe_int80[] = { 1, 2, 27, 29, 69, 72, 119, 173, 190, 252 };
#endif

bool call_is_unsafe(enum door door, uint32_t nr)
{
	const uint32_t *list = unsafe_native;
	size_t count = sizeof(unsafe_native) / sizeof(*unsafe_native);

#ifdef HAVE_INT80
	if (door == DOOR_INT80) {
		list = unsafe_int80;
		count = sizeof(unsafe_int80) / sizeof(*unsafe_int80);
	}
#endif
	(void)door;
	for (; count--; list++) {
#ifdef __x86_64__
		/* the same number with and without bit 30, of whichever of the two ABIs this is */
		if (!((*list ^ nr) & ~0x40000000u))
			return true;
#else
		if (*list == nr)
			return true;
#endif
	}
	return false;
}
