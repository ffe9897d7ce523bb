// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * After the first filter no system call can be relied on, not even exit or sigreturn. So the task speaks through shared memory and
 * through faults: a store to a page that is closed stops it before its tracer's eyes, a breakpoint ends it. Handlers leave
 * by siglongjmp(), which needs no call either.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "abi.h"
#include "task.h"

#ifndef CLONE_FLAGS
#define CLONE_FLAGS 0
#endif

#define STRANGER 2000000011	/* nobody has this id, not even `nobody`: kill(-1) of such a task reaches its own kind */

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static char *closed_page;
static sigjmp_buf landing;
static const struct task_call *volatile current;
static struct outcome *volatile result;
static bool baited;		/* the number in the register is getppid's: the tracer puts in the one that is meant */

static void on_trap(int signal, siginfo_t *info, void *context)
{
	const struct task_call *call = current;

	(void)context;
	if (info->si_code == SYS_SECCOMP && info->si_syscall == (int)call->nr && info->si_arch == call_arch(call->door) &&
	    (uintptr_t)info->si_call_addr == call_address(call->door))
		*result = (struct outcome){ KIND_TRAPPED, info->si_errno };
	else
		*result = (struct outcome){ KIND_TRAPPED_ODDLY, info->si_syscall };
	siglongjmp(landing, signal);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_addr != closed_page)
		*result = (struct outcome){ KIND_SIGNALLED, signal };
	siglongjmp(landing, signal);
}

void task_init(void)
{
	struct sigaction trap = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	closed_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (closed_page == MAP_FAILED)
		die("mmap");
	sigaction(SIGSYS, &trap, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	/* what arm raises for numbers far beyond its table (compat_arm_syscall, arch/arm64/kernel/sys_compat.c) */
	sigaction(SIGILL, &fault, NULL);
}

/* By a signal that nothing here handles. */
static _Noreturn void end_here(void)
{
	asm volatile(TRAP_INSTRUCTION);
	__builtin_unreachable();
}

static void stop_here(void)
{
	if (!sigsetjmp(landing, 0))
		*(volatile char *)closed_page = 0;
}

static void make(const struct task_call *call, struct outcome *outcome)
{
	struct call registers = { .nr = call->nr };

	for (int i = 0; i < 6; i++)
		registers.args[i] = call->args[i];
	if (baited)
		registers.nr = SYS_getppid;
	current = call;
	result = outcome;
	if (!sigsetjmp(landing, 0)) {
		long value = call_through(call->door, &registers);

		*outcome = (struct outcome){ KIND_RETURNED, value };
	}
}

static void limit(int resource, rlim_t value)
{
	struct rlimit limit = { value, value };

	if (setrlimit(resource, &limit) < 0)
		die("setrlimit");
}

/*
 * What is allowed is really executed: without privileges, without files, and without the right to new processes most of it
 * comes to nothing.
 *
 * Privileges go before there is a second thread. The C library has each thread drop them in a signal handler, and does not wait
 * until the thread is back in its read: a filter would be shown its rt_sigreturn.
 */
static void become_stranger(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(STRANGER, STRANGER, STRANGER) < 0 || setresuid(STRANGER, STRANGER, STRANGER) < 0)
		die("setuid");
}

static void renounce(const struct task *task)
{
	struct itimerval patience = {
		.it_value = { task->patience_ms / 1000, task->patience_ms % 1000 * 1000 },
	};

	setsid();
	for (int fd = 0; fd < 8; fd++)
		if (fd != task->gate)
			close(fd);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_NPROC, task->stack->way == WAY_PLAIN ? 0 : 2);
	setitimer(ITIMER_REAL, &patience, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("no_new_privs");
}

/* After the filter of this index. What these calls leave behind in the kernel must not outlive the next filter. */
static void make_between(const struct task *task, uint32_t filter)
{
	struct outcome *outcome = task->shared->between;

	for (uint32_t i = 0; i < task->stack->betweens; i++) {
		const struct between *between = &task->stack->between[i];

		for (uint32_t j = 0; j < between->count; j++, outcome++) {
			struct task_call call = { between->table->door, between->numbers[j], between->table->args };

			if (between->filter == filter && !call_is_unsafe(call.door, call.nr))
				make(&call, outcome);
		}
	}
}

static void attach(const struct task *task)
{
	const struct stack *stack = task->stack;
	uint64_t args[6] = { SECCOMP_SET_MODE_FILTER, stack->way == WAY_THREAD ? SECCOMP_FILTER_FLAG_TSYNC : 0 };
	struct task_call call = { .door = DOOR_NATIVE, .nr = SYS_seccomp, .args = args };

	for (uint32_t i = 0; i < stack->filters; i++) {
		args[2] = (uintptr_t)&stack->filter[i];
		task->shared->tried = i + 1;
		make(&call, &task->shared->attach[i]);
		if (task->traced)
			stop_here();
		if (task->between)
			make_between(task, i);
	}
}

static _Noreturn void make_calls(const struct task *task)
{
	struct shared *shared = task->shared;

	baited = task->stack->way == WAY_TRACER;
	shared->ready = 1;
	while (shared->next < task->count) {
		uint32_t i = shared->next;

		shared->next = i + 1;
		make(&task->call[i], &shared->result[i]);
	}
	shared->done = 1;
	end_here();
}

static void *thread_main(void *argument)
{
	const struct task *task = argument;
	char byte;

	task->shared->tid = syscall(SYS_gettid);
	/* Entered before the first filter, and so not asked again when it returns. */
	if (read(task->gate, &byte, 1) != 1)
		end_here();
	make_calls(task);
}

/* Without the C library, whose fork() makes other calls as well. */
static bool fork_now(void)
{
	const uint64_t args[6] = { [CLONE_FLAGS] = SIGCHLD };
	const struct task_call call = { DOOR_NATIVE, SYS_clone, args };
	struct outcome outcome;

	make(&call, &outcome);
	return outcome.kind != KIND_RETURNED || outcome.value;
}

/* Field 3 of /proc/PID/stat (proc(5)), behind a name that holds no bracket here. */
bool task_waits(pid_t tid)
{
	char path[64], text[128] = "";
	char *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	file = fopen(path, "re");
	if (!file || !fgets(text, sizeof(text), file))
		die(path);
	fclose(file);
	state = strchr(text, ')');
	return state && state[1] && strchr("STt", state[2]);
}

_Noreturn void task_main(const struct task *task)
{
	pthread_t thread;

	signal(SIGALRM, SIG_DFL);
	if (task->traced && ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		die("ptrace");
	become_stranger();
	if (task->stack->way == WAY_THREAD) {
		if (pthread_create(&thread, NULL, thread_main, (void *)task))
			die("pthread_create");
		while (!task->shared->tid || !task_waits(task->shared->tid))
			usleep(100);
	}
	renounce(task);
	task->shared->tid = task->stack->way == WAY_THREAD ? task->shared->tid : getpid();
	attach(task);
	if (task->stack->way == WAY_THREAD)
		for (;;)
			stop_here();
	if (task->stack->way == WAY_FORK && fork_now())
		end_here();
	make_calls(task);
}
