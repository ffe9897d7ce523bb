// SPDX-License-Identifier: GPL-2.0-or-later
/* Ends as soon as it has started, without a C library: init/await.c starts it for what the kernel draws for a program. */

/* exit_group(0) */
#if defined(__x86_64__)
#define LEAVE "mov $231, %eax; xor %edi, %edi; syscall"
#elif defined(__aarch64__)
#define LEAVE "mov x8, #94; mov x0, #0; svc #0"
#elif defined(__riscv)
#define LEAVE "li a7, 94; li a0, 0; ecall"
#elif defined(__s390x__)
#define LEAVE "lghi %r2, 0; svc 248"
#else
#error "how a program ends is not known for this architecture"
#endif

__asm__(".globl _start\n_start: " LEAVE);
