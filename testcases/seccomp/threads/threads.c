// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * threads: filters where more than one task has a say: thread sync against an attach that is under way, a supervisor that
 * answers for a call, and another program behind exec. One TAP line for each test; every kernel has to pass.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tap.h"

#define DENIED 3000		/* an errno that no call gives by itself */
#define LONG 1500		/* instructions of a filter that takes its time to be looked at */
#define ROUNDS 40
#define CALLS 500000		/* of each kind, beside those of a thread on another processor */
#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

static long attach(struct sock_filter *filter, unsigned int length, unsigned int flags)
{
	struct sock_fprog prog = { length, filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* Allows all calls, in many instructions. */
static long attach_long(void)
{
	static struct sock_filter filter[LONG];

	for (int i = 0; i < LONG - 1; i++)
		filter[i] = (struct sock_filter)NR;
	filter[LONG - 1] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	return attach(filter, LONG, 0);
}

/* What getppid comes to is `value`, all else is allowed. */
static long attach_for_getppid(uint32_t value, unsigned int flags)
{
	struct sock_filter filter[] = {
		NR,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		RETURN(value),
		RETURN(SECCOMP_RET_ALLOW),
	};

	return attach(filter, sizeof(filter) / sizeof(*filter), flags);
}

static bool getppid_is_denied(void)
{
	return syscall(SYS_getppid) == -1 && errno == DENIED;
}

/* The status of a child that runs `act`; what it returns is the exit status. */
static int status_of(int (*act)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(act());
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum { HELD, LEAKED, DIVERGED, BROKEN };

static volatile int gate;
static int lead;		/* microseconds by which the attach is ahead of thread sync */
static volatile bool attached;

static void *attach_and_call(void *argument)
{
	(void)argument;
	gate = 1;
	usleep(lead < 0 ? -lead : 0);
	if (attach_long())
		return (void *)(intptr_t)BROKEN;
	attached = true;
	while (gate == 1)
		usleep(100);
	return (void *)(intptr_t)(getppid_is_denied() ? HELD : LEAKED);
}

/* A thread attaches a loose filter while another one puts a strict one on all of them. */
static int sync_once(void)
{
	pthread_t thread;
	void *result;
	long synced;

	if (pthread_create(&thread, NULL, attach_and_call, NULL))
		return BROKEN;
	while (!gate)
		;
	usleep(lead > 0 ? lead : 0);
	synced = attach_for_getppid(SECCOMP_RET_ERRNO | DENIED, SECCOMP_FILTER_FLAG_TSYNC);
	gate = 2;
	pthread_join(thread, &result);
	if (synced > 0 && attached)
		return DIVERGED;	/* it came too late: the other thread has a filter of its own, and is left alone */
	return synced ? BROKEN : (int)(intptr_t)result;
}

/* Whatever the order: once thread sync has succeeded, no thread may do what its filter denies. */
static bool test_sync_during_attach(void)
{
	int held = 0, diverged = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int status;

		lead = (round - ROUNDS / 4) * 500;
		status = status_of(sync_once);
		if (status == LEAKED)
			return wrong("getppid ran although thread sync had denied it, %d us behind the attach", lead);
		if (status != HELD && status != DIVERGED)
			return wrong("status %d", status);
		held += status == HELD;
		diverged += status == DIVERGED;
	}
	printf("# %d in time, %d too late\n", held, diverged);
	return held || wrong("in none of %d rounds thread sync was in time", ROUNDS);
}

/* The calling thread stays on one processor, if there are so many. */
static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Has a filter of its own that allows all calls, and makes two in turn. */
static void *call_without_end(void *argument)
{
	(void)argument;
	stay_on(1);
	if (attach_for_getppid(SECCOMP_RET_ALLOW, 0)) {
		gate = 2;
		return (void *)(intptr_t)BROKEN;
	}
	gate = 1;
	while (gate == 1)
		if (syscall(SYS_getpid) < 0 || syscall(SYS_getppid) < 0)
			return (void *)(intptr_t)LEAKED;
	return (void *)(intptr_t)HELD;
}

/* Two threads under different filters make calls at the same time; what one is allowed, the other is denied. */
static int beside_a_neighbour(void)
{
	int result = HELD;
	pthread_t thread;
	void *other;

	stay_on(0);
	if (pthread_create(&thread, NULL, call_without_end, NULL))
		return BROKEN;
	while (!gate)
		sched_yield();
	if (attach_for_getppid(SECCOMP_RET_ERRNO | DENIED, 0))
		result = BROKEN;
	for (int i = 0; i < CALLS && result == HELD; i++) {
		syscall(SYS_getpid);
		if (!getppid_is_denied())
			result = LEAKED;
	}
	gate = 2;
	pthread_join(thread, &other);
	return (intptr_t)other == HELD ? result : (intptr_t)other == LEAKED ? DIVERGED : BROKEN;
}

static bool test_neighbour(void)
{
	int status = status_of(beside_a_neighbour);

	if (status == LEAKED)
		return wrong("getppid ran although the thread's filter denies it: a thread with another filter called it too");
	if (status == DIVERGED)
		return wrong("getppid failed although the thread's filter allows it: a thread with another filter called it too");
	return status == HELD || wrong("status %d", status);
}

static int other_program(void)
{
	if (attach_for_getppid(SECCOMP_RET_ERRNO | DENIED, 0) || attach_long())
		return 2;
	execl("/proc/self/exe", "threads", "denied", NULL);
	return 3;
}

static bool test_exec(void)
{
	int status = status_of(other_program);

	return !status || wrong("behind exec, getppid is not denied (status %d)", status);
}

struct answered {
	int listener;
	struct seccomp_notif seen;
	bool good;
};

/* Answers two calls, each time with one more than before. */
static void *supervise(void *argument)
{
	struct answered *answered = argument;

	for (int i = 0; i < 2; i++) {
		struct pollfd ready = { answered->listener, POLLIN, 0 };
		struct seccomp_notif_resp response = { 0 };

		memset(&answered->seen, 0, sizeof(answered->seen));
		if (poll(&ready, 1, 10000) != 1 || ioctl(answered->listener, SECCOMP_IOCTL_NOTIF_RECV, &answered->seen))
			return NULL;
		response.id = answered->seen.id;
		response.val = 4711 + i;
		if (ioctl(answered->listener, SECCOMP_IOCTL_NOTIF_SEND, &response))
			return NULL;
	}
	answered->good = true;
	return NULL;
}

/* The filter below it, which allows the call, has been used already: what is remembered of that must not count. */
static int supervised(void)
{
	static struct answered answered;
	pthread_t thread;
	long first, second;

	if (attach_for_getppid(SECCOMP_RET_ALLOW, 0) || syscall(SYS_getppid) < 0)
		return 2;
	answered.listener = attach_for_getppid(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (answered.listener < 0 || pthread_create(&thread, NULL, supervise, &answered))
		return 3;
	first = syscall(SYS_getppid);
	second = syscall(SYS_getppid);
	pthread_join(thread, NULL);
	if (first != 4711 || second != 4712)
		return 4;
	if (!answered.good || answered.seen.data.nr != SYS_getppid || !answered.seen.data.instruction_pointer)
		return 5;
	return 0;
}

static bool test_listener(void)
{
	int status = status_of(supervised);

	if (status == 4)
		return wrong("the call did not return what its supervisor said");
	if (status == 5)
		return wrong("the supervisor was told of another call than was made");
	return !status || wrong("status %d", status);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*test)(void);
	} tests[] = {
		{ "sync_during_attach", test_sync_during_attach },
		{ "neighbour", test_neighbour },
		{ "exec", test_exec },
		{ "listener", test_listener },
	};
	const int total = sizeof(tests) / sizeof(*tests);
	int failed = 0;

	if (argc == 2 && !strcmp(argv[1], "denied"))
		return !getppid_is_denied();
	printf("TAP version 13\n1..%d\n", total);
	fflush(stdout);
	for (int i = 0; i < total; i++)
		failed += !report(tests[i].name, tests[i].test());
	return failed;
}
