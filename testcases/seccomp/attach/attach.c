// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach: every way to ask for a filter or about filters, rightly and wrongly, and that what is refused leaves nothing behind. Each
 * test has a process of its own and is one TAP line; every kernel has to pass.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tap.h"

#define DENIED 3000		/* an errno that no call gives by itself */
#define NOBODY 65534
#define UNKNOWN 77		/* no mode, and no operation */
#define UNKNOWN_FLAG (1u << 30)
#define UNREADABLE ((void *)1)
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static struct sock_fprog *for_getppid(uint32_t value)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	static struct sock_fprog prog = { LENGTH(filter), filter };

	filter[2].k = value;
	return &prog;
}

static struct sock_fprog *denying(void)
{
	return for_getppid(SECCOMP_RET_ERRNO | DENIED);
}

static long seccomp(unsigned int operation, unsigned int flags, void *argument)
{
	return syscall(SYS_seccomp, operation, flags, argument);
}

static bool promise(void)
{
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || wrong("no_new_privs: %s", strerror(errno));
}

/* What a call has just come to: an errno, or 0 for success. */
static bool came_to(const char *what, long value, int wanted)
{
	int seen = value < 0 ? errno : 0;

	return seen == wanted || wrong("%s: errno %d (%s) instead of %d", what, seen, strerror(seen), wanted);
}

static bool is_free(void)
{
	return syscall(SYS_getppid) >= 0 || wrong("a filter that was refused denies getppid");
}

static bool is_denied(void)
{
	return came_to("getppid", syscall(SYS_getppid), DENIED);
}

static bool test_seccomp(void)
{
	return promise() && is_free() && came_to("seccomp", seccomp(SECCOMP_SET_MODE_FILTER, 0, denying()), 0) && is_denied();
}

static bool test_prctl(void)
{
	return promise() && came_to("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, denying()), 0) && is_denied();
}

/* Both ways after each other are one stack. */
static bool test_mixed(void)
{
	struct sock_fprog *loose = for_getppid(SECCOMP_RET_ALLOW);

	return promise() && came_to("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, loose), 0) && is_free() &&
	       came_to("seccomp", seccomp(SECCOMP_SET_MODE_FILTER, 0, denying()), 0) && is_denied() &&
	       came_to("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, for_getppid(SECCOMP_RET_ALLOW)), 0) && is_denied();
}

static bool test_harmless_flags(void)
{
	return promise() && came_to("LOG", seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, denying()), 0) && is_denied() &&
	       came_to("SPEC_ALLOW", seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, denying()), 0) && is_denied();
}

static bool test_unknown(void)
{
	return promise() && came_to("mode", prctl(PR_SET_SECCOMP, UNKNOWN, denying()), EINVAL) &&
	       came_to("operation", seccomp(UNKNOWN, 0, denying()), EINVAL) &&
	       came_to("flag", seccomp(SECCOMP_SET_MODE_FILTER, UNKNOWN_FLAG, denying()), EINVAL) && is_free();
}

static bool test_strict(void)
{
	return promise() && came_to("flags", seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL) &&
	       came_to("argument", seccomp(SECCOMP_SET_MODE_STRICT, 0, UNREADABLE), EINVAL) &&
	       came_to("filter", seccomp(SECCOMP_SET_MODE_FILTER, 0, denying()), 0) &&
	       came_to("strict mode behind a filter", seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL) && is_denied();
}

static bool test_unreadable(void)
{
	struct sock_fprog body = { 1, UNREADABLE }, empty = { 0, denying()->filter }, huge = { BPF_MAXINSNS + 1, denying()->filter };

	return promise() && came_to("program", seccomp(SECCOMP_SET_MODE_FILTER, 0, UNREADABLE), EFAULT) &&
	       came_to("instructions", seccomp(SECCOMP_SET_MODE_FILTER, 0, &body), EFAULT) &&
	       came_to("none", seccomp(SECCOMP_SET_MODE_FILTER, 0, &empty), EINVAL) &&
	       came_to("too many", seccomp(SECCOMP_SET_MODE_FILTER, 0, &huge), EINVAL) && is_free();
}

static bool test_privileges(void)
{
	return came_to("with CAP_SYS_ADMIN", seccomp(SECCOMP_SET_MODE_FILTER, 0, for_getppid(SECCOMP_RET_ALLOW)), 0) &&
	       came_to("setresuid", setresuid(NOBODY, NOBODY, NOBODY), 0) &&
	       came_to("without", seccomp(SECCOMP_SET_MODE_FILTER, 0, denying()), EACCES) && is_free() && test_seccomp();
}

static bool test_questions(void)
{
	const uint32_t known[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
		SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW,
	};
	struct seccomp_notif_sizes sizes = { 0 };
	uint32_t other = 0x12340000;

	for (unsigned int i = 0; i < LENGTH(known); i++) {
		uint32_t action = known[i];

		if (seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action))
			return wrong("action %#x is not there: %s", action, strerror(errno));
	}
	return came_to("unknown action", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &other), EOPNOTSUPP) &&
	       came_to("action and flags", seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &other), EINVAL) &&
	       came_to("sizes and flags", seccomp(SECCOMP_GET_NOTIF_SIZES, 1, &sizes), EINVAL) &&
	       came_to("sizes", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes), 0) &&
	       (sizes.seccomp_data == sizeof(struct seccomp_data) || wrong("seccomp_data has %d bytes", sizes.seccomp_data));
}

static volatile int stage;

/* A thread with a filter of its own. */
static void *diverge(void *argument)
{
	(void)argument;
	stage = seccomp(SECCOMP_SET_MODE_FILTER, 0, for_getppid(SECCOMP_RET_ALLOW)) ? -1 : syscall(SYS_gettid);
	while (stage)
		usleep(1000);
	return NULL;
}

static bool test_sync(void)
{
	const unsigned int esrch = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	pthread_t thread;
	long culprit;
	bool good;

	if (!promise() || pthread_create(&thread, NULL, diverge, NULL))
		return wrong("no thread");
	while (!stage)
		usleep(1000);
	culprit = seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, denying());
	good = (stage > 0 && culprit == stage) || wrong("thread sync gave %ld, not the thread %d", culprit, stage);
	good = good && is_free() && came_to("TSYNC_ESRCH", seccomp(SECCOMP_SET_MODE_FILTER, esrch, denying()), ESRCH) && is_free();
	stage = 0;
	pthread_join(thread, NULL);
	return good && came_to("alone", seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, denying()), 0) && is_denied();
}

static bool test_listeners(void)
{
	const unsigned int listener = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	struct rlimit none = { 0, 0 }, before;
	bool good;

	good = promise() &&
	       came_to("with thread sync", seccomp(SECCOMP_SET_MODE_FILTER, listener | SECCOMP_FILTER_FLAG_TSYNC, denying()), EINVAL) &&
	       is_free() && came_to("getrlimit", getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	good = good && came_to("setrlimit", setrlimit(RLIMIT_NOFILE, &none), 0) &&
	       came_to("without descriptors", seccomp(SECCOMP_SET_MODE_FILTER, listener, denying()), EMFILE) && is_free();
	setrlimit(RLIMIT_NOFILE, &before);
	return good && came_to("first", seccomp(SECCOMP_SET_MODE_FILTER, listener, for_getppid(SECCOMP_RET_ALLOW)), 0) &&
	       came_to("second", seccomp(SECCOMP_SET_MODE_FILTER, listener, denying()), EBUSY) && is_free();
}

/* What a tracer kills between the filters' RET_TRACE and the call is not made. */
static bool test_killed_in_trace(void)
{
	volatile int *ran = mmap(NULL, sizeof(*ran), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	if (ran == MAP_FAILED)
		return wrong("mmap: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP) || !promise() ||
		    seccomp(SECCOMP_SET_MODE_FILTER, 0, for_getppid(SECCOMP_RET_TRACE)))
			_exit(2);
		syscall(SYS_getppid);
		*ran = 1;
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP) || ptrace(PTRACE_CONT, pid, 0, 0))
		return wrong("ptrace: %s", strerror(errno));
	if (waitpid(pid, &status, 0) != pid || status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		return wrong("status %#x instead of the filters' event", status);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return wrong("status %#x instead of SIGKILL", status);
	return !*ran || wrong("it went on");
}

/* The test in a child, whose complaint comes back. */
static bool apart(bool (*test)(void))
{
	static char *told;
	int status = -1;
	pid_t pid;

	if (!told)
		told = mmap(NULL, sizeof(complaint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(told, sizeof(complaint), "the test ended without a word");
	pid = fork();
	if (!pid) {
		bool good = test();

		memcpy(told, complaint, sizeof(complaint));
		_exit(!good);
	}
	waitpid(pid, &status, 0);
	memcpy(complaint, told, sizeof(complaint));
	return !status;
}

int main(void)
{
	static const struct {
		const char *name;
		bool (*test)(void);
	} tests[] = {
		{ "seccomp", test_seccomp },
		{ "prctl", test_prctl },
		{ "mixed", test_mixed },
		{ "harmless_flags", test_harmless_flags },
		{ "unknown", test_unknown },
		{ "strict", test_strict },
		{ "unreadable", test_unreadable },
		{ "privileges", test_privileges },
		{ "questions", test_questions },
		{ "sync", test_sync },
		{ "listeners", test_listeners },
		{ "killed_in_trace", test_killed_in_trace },
	};
	int failed = 0;

	printf("TAP version 13\n1..%d\n", (int)LENGTH(tests));
	fflush(stdout);
	for (unsigned int i = 0; i < LENGTH(tests); i++)
		failed += !report(tests[i].name, apart(tests[i].test));
	return failed;
}
