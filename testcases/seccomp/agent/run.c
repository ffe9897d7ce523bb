// SPDX-License-Identifier: GPL-2.0-or-later
/* The parent of the tasks under test: starts them, reads the cache whenever they stop, and says what came of them. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ABI_TRACER
#include "abi.h"
#include "cache.h"
#include "run.h"
#include "task.h"

#define LIVES 33
#define BULK_PATIENCE_MS 30000
#define OTHER_PATIENCE_MS 5000	/* a thread that is killed alone leaves its process waiting */
#define GRACE_MS 1000		/* for a task that made itself deaf to its own alarm: sigsuspend() with every signal blocked */
#define LOOK_MS 100		/* how often a task with one call is looked at: whether that call waits */
#define LOOKS 2			/* so many in a row must find that it does */

static struct task task;
static struct shared *shared;
static bool first_life;		/* of this stack: its filters and caches are reported */
static bool single;		/* the task has one call */

static volatile sig_atomic_t time_to_look;

static void on_watch(int signal)
{
	(void)signal;
	time_to_look = 1;
}

/*
 * waitpid() comes back with EINTR after this time, and again and again, since the first signal can arrive just before it
 * sleeps. 0 ends the watch.
 */
static void watch(int ms)
{
	struct itimerval value = {
		.it_interval = { 0, ms ? LOOK_MS * 1000 : 0 },
		.it_value = { ms / 1000, ms % 1000 * 1000 },
	};
	struct sigaction action = { .sa_handler = on_watch };

	time_to_look = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &value, NULL);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static struct outcome end_of(int status)
{
	if (WIFEXITED(status))
		return (struct outcome){ KIND_EXITED, WEXITSTATUS(status) };
	if (WTERMSIG(status) == SIGALRM)
		return (struct outcome){ KIND_BLOCKED, 0 };
	return (struct outcome){ KIND_KILLED, WTERMSIG(status) };
}

static void report_attach(uint32_t stack, uint32_t filter, const struct outcome *outcome)
{
	stream_begin(RECORD_ATTACH);
	stream_word(stack);
	stream_word(filter);
	stream_bytes(outcome, sizeof(*outcome));
	stream_long((uintptr_t)&task.stack->filter[filter]);
	stream_end();
}

static void report_filter(uint32_t stack, uint32_t filter, pid_t pid)
{
	report_attach(stack, filter, &shared->attach[filter]);
	cache_report(stack, filter, pid, shared->tid);
}

/* A task stopped behind a filter: what the attempt to attach it came to, and what its cache holds now. */
static void look(uint32_t stack, pid_t pid, int gate, uint32_t *seen)
{
	const struct stack *what = task.stack;

	if (*seen < shared->tried) {
		if (first_life)
			report_filter(stack, *seen, pid);
		++*seen;
	}
	if (what->way == WAY_THREAD && *seen == what->filters) {
		/* the main thread stays where it is; the other one begins, and takes it along when it ends */
		if (write(gate, "", 1) != 1)
			die("gate");
		return;
	}
	if (what->way == WAY_TRACER && ptrace(PTRACE_SETOPTIONS, pid, 0, *seen == what->filters ? PTRACE_O_TRACESECCOMP : 0) < 0)
		die("ptrace options");
	if (ptrace(*seen == what->filters && what->way != WAY_TRACER ? PTRACE_DETACH : PTRACE_CONT, pid, 0, SIGSEGV) < 0 && errno != ESRCH)
		die("ptrace");
}

/* Between the filters' RET_TRACE and their second look: the call becomes the one that is meant. */
static void change_number(pid_t pid)
{
	uint32_t nr = task.call[shared->next - 1].nr;

	if (set_number(pid, nr) < 0)
		die("the number");
	ptrace(PTRACE_CONT, pid, 0, 0);
}

/*
 * Follows a task to its end, and that of its child if it has one. A task with a single call is given up as soon as that
 * waits: one that is slow, on a busy host or behind a long stack, runs.
 */
static struct outcome follow(uint32_t stack, pid_t pid, int gate)
{
	const uint64_t late = now_ns() + (task.patience_ms + GRACE_MS) * 1000000ull;
	struct outcome end = { 0 };
	uint32_t seen = 0;
	int status, waiting = 0;
	pid_t found;

	watch(single ? LOOK_MS : task.patience_ms + GRACE_MS);
	while ((found = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (found < 0 && time_to_look) {
			time_to_look = 0;
			waiting = single && shared->next && task_waits(pid) ? waiting + 1 : 0;
			if (waiting < LOOKS && now_ns() < late)
				continue;
			end = (struct outcome){ KIND_BLOCKED, 0 };
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
		if (found > 0 && WIFSTOPPED(status)) {
			if (status >> 16 == PTRACE_EVENT_SECCOMP)
				change_number(found);
			else if (WSTOPSIG(status) == SIGSEGV)
				look(stack, found, gate, &seen);
			else
				ptrace(PTRACE_CONT, found, 0, WSTOPSIG(status));
		} else if (found > 0 && (found != pid || !end.kind)) {
			end = end_of(status);
		}
	}
	watch(0);
	if (!first_life)
		return end;
	/* those behind which it did not stop */
	for (; seen < shared->tried && shared->attach[seen].kind; seen++)
		report_filter(stack, seen, pid);
	if (seen < shared->tried) {
		/* an earlier filter ended it when it asked for one more */
		report_attach(stack, seen, &end);
	}
	return end;
}

/* Runs the task from call shared->next on, as far as it gets. */
static struct outcome run_task(uint32_t stack)
{
	int gate[2] = { -1, -1 };
	struct outcome end;
	pid_t pid;

	shared->tried = 0;
	shared->ready = 0;
	shared->done = 0;
	shared->tid = 0;
	if (task.stack->way == WAY_TRACER)
		task.traced = true;
	if (task.stack->way == WAY_THREAD) {
		task.traced = true;
		if (pipe(gate) < 0)
			die("pipe");
	}
	task.gate = gate[0];
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		task_main(&task);
	end = follow(stack, pid, gate[1]);
	if (gate[0] >= 0) {
		close(gate[0]);
		close(gate[1]);
	}
	return end;
}

/* The way through a table's numbers under a stack: they ascend, and so do the ranges of those that are left out. */
struct walk {
	const struct table *table;
	const struct range *skip;
	uint32_t skips;
};

static struct walk walk_of(const struct table *table, const struct work *work)
{
	return (struct walk){ table, work ? work->skip : NULL, work ? work->skips : 0 };
}

/* Whether a number is not called; to be asked from the first to the last. */
static bool left_out(struct walk *walk, uint32_t index)
{
	uint32_t nr = walk->table->numbers[index];

	while (walk->skips && nr >= walk->skip->first && nr - walk->skip->first >= walk->skip->count) {
		walk->skip++;
		walk->skips--;
	}
	return walk->table->unsafe[index] || (walk->skips && nr >= walk->skip->first);
}

static void add_call(struct task_call call)
{
	if (task.count == MAX_CALLS) {
		errno = E2BIG;
		die("calls");
	}
	task.call[task.count++] = call;
}

static void add_table(const struct table *table, const struct work *work)
{
	struct walk walk = walk_of(table, work);

	for (uint32_t i = 0; i < table->count; i++)
		if (!left_out(&walk, i))
			add_call((struct task_call){ table->door, table->numbers[i], table->args });
}

static uint32_t between_calls(const struct stack *stack)
{
	uint32_t calls = 0;

	for (uint32_t i = 0; i < stack->betweens; i++)
		calls += stack->between[i].count;
	return calls;
}

/*
 * Makes all calls of the task, in as many lives as it takes. In its `first` the filters are reported; where the kernel shows no
 * cache, there is nothing to stop for behind each.
 */
static void run_all(uint32_t stack, bool first)
{
	memset(shared->result, 0, task.count * sizeof(*shared->result));
	memset(shared->attach, 0, task.stack->filters * sizeof(*shared->attach));
	memset(shared->between, 0, between_calls(task.stack) * sizeof(*shared->between));
	shared->next = 0;
	task.traced = first && cache_is_shown();
	task.between = first;
	first_life = first;
	single = false;
	task.patience_ms = task.stack->way == WAY_PLAIN ? BULK_PATIENCE_MS : OTHER_PATIENCE_MS;
	for (int life = 0; life < LIVES; life++) {
		struct outcome end = run_task(stack);

		if (shared->done || !shared->ready)
			return;
		shared->result[shared->next - 1] = end;
		if (shared->next == task.count)
			return;
		task.traced = false;
		task.between = false;
		first_life = false;
	}
	for (uint32_t i = shared->next; i < task.count; i++)
		shared->result[i].kind = KIND_LEFT_OUT;
}

/* A call in a task of its own. */
static struct outcome run_single(uint32_t stack, enum door door, uint32_t nr, const uint64_t *args)
{
	struct outcome end;

	task.count = 1;
	task.traced = false;
	task.between = false;
	first_life = false;
	single = true;
	task.patience_ms = BULK_PATIENCE_MS;
	task.call[0] = (struct task_call){ door, nr, args };
	shared->result[0] = (struct outcome){ 0 };
	shared->next = 0;
	end = run_task(stack);
	return shared->done ? shared->result[0] : end;
}

/* The calls of a table, each like that. Returns their results, which the caller frees. */
static struct outcome *run_alone(uint32_t stack, const struct table *table, const struct work *work)
{
	struct outcome *made = calloc(table->count + 1, sizeof(*made));
	struct walk walk = walk_of(table, work);
	uint32_t used = 0;

	if (!made)
		die("calls");
	for (uint32_t i = 0; i < table->count; i++)
		if (!left_out(&walk, i))
			made[used++] = run_single(stack, table->door, table->numbers[i], table->args);
	return made;
}

struct run {
	uint32_t count;
	struct outcome outcome;
};

static void flush_run(struct run *run)
{
	if (!run->count)
		return;
	stream_word(run->count);
	stream_bytes(&run->outcome, sizeof(run->outcome));
	run->count = 0;
}

/* The results of one table, in the order of its numbers, as runs of equal ones. Returns how many calls they took. */
static uint32_t report_runs(const struct table *table, const struct work *work, const struct outcome *made)
{
	struct walk walk = walk_of(table, work);
	struct run run = { 0 };
	uint32_t used = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		struct outcome next = { KIND_NOTHING, 0 };

		if (!left_out(&walk, i))
			next = made[used++];
		if (work && next.kind == KIND_RETURNED && !memcmp(&next, &table->natural[i], sizeof(next)))
			next = (struct outcome){ KIND_SAME, 0 };
		if (memcmp(&next, &run.outcome, sizeof(next)))
			flush_run(&run);
		run.outcome = next;
		run.count++;
	}
	flush_run(&run);
	return used;
}

static void learn_natural(struct table *table, uint32_t number)
{
	static const struct stack none;
	struct outcome *alone = NULL, *made = shared->result;
	struct walk walk = walk_of(table, NULL);
	uint32_t used = 0;

	task.stack = &none;
	if (table->alone) {
		made = alone = run_alone(0, table, NULL);
	} else {
		task.count = 0;
		add_table(table, NULL);
		/* Twice: what the first calls leave behind in the kernel (a message queue) the later ones find. */
		run_all(0, false);
		run_all(0, false);
	}
	for (uint32_t i = 0; i < table->count; i++)
		if (!left_out(&walk, i))
			table->natural[i] = made[used++];
	stream_begin(RECORD_NATURAL);
	stream_word(number);
	report_runs(table, NULL, made);
	stream_end();
	free(alone);
}

/* `made` is what the call came to at the end of the others; a task that did not come to it makes it alone. */
static void report_single(uint32_t stack, uint32_t index, const struct single *single, const struct outcome *made)
{
	struct outcome outcome = { KIND_NOTHING, 0 };

	if (made)
		outcome = *made;
	if (outcome.kind == KIND_NOTHING || outcome.kind == KIND_LEFT_OUT)
		outcome = run_single(stack, single->door, single->call.nr, single->call.args);
	stream_begin(RECORD_CALL);
	stream_word(stack);
	stream_word(index);
	stream_bytes(&outcome, sizeof(outcome));
	stream_end();
}

static void report_between(const struct stack *stack, uint32_t index)
{
	const struct outcome *outcome = shared->between;

	for (uint32_t i = 0; i < stack->betweens; i++) {
		const struct between *between = &stack->between[i];

		stream_begin(RECORD_BETWEEN);
		stream_word(index);
		stream_word(i);
		stream_bytes(outcome, between->count * sizeof(*outcome));
		stream_end();
		outcome += between->count;
	}
}

/* A table's results under the stack. Returns how many calls they took. */
static uint32_t report_work(uint32_t stack, const struct batch *batch, const struct work *work, const struct outcome *made)
{
	uint32_t used;

	stream_begin(RECORD_RUNS);
	stream_word(stack);
	stream_word(work->table);
	used = report_runs(&batch->table[work->table], work, made);
	stream_end();
	return used;
}

static void run_stack(const struct batch *batch, uint32_t index)
{
	const struct stack *stack = &batch->stack[index];
	uint64_t began = now_ns();
	uint32_t used = 0, last = 0;

	stream_begin(RECORD_BEGIN);
	stream_word(index);
	stream_end();
	stream_flush();
	task.stack = stack;
	task.count = 0;
	for (uint32_t i = 0; i < stack->works; i++)
		if (!batch->table[stack->work[i].table].alone)
			add_table(&batch->table[stack->work[i].table], &stack->work[i]);
	for (uint32_t i = 0; i < stack->singles; i++)
		if (stack->single[i].last)
			add_call((struct task_call){ stack->single[i].door, stack->single[i].call.nr, stack->single[i].call.args });
	run_all(index, true);
	report_between(stack, index);
	for (uint32_t i = 0; i < stack->works; i++)
		if (!batch->table[stack->work[i].table].alone)
			used += report_work(index, batch, &stack->work[i], shared->result + used);
	for (uint32_t i = 0; i < stack->singles; i++)
		if (stack->single[i].last)
			report_single(index, i, &stack->single[i], &shared->result[used + last++]);
	for (uint32_t i = 0; i < stack->works; i++) {
		const struct table *table = &batch->table[stack->work[i].table];

		if (table->alone) {
			struct outcome *made = run_alone(index, table, &stack->work[i]);

			used += report_work(index, batch, &stack->work[i], made);
			free(made);
		}
	}
	for (uint32_t i = 0; i < stack->singles; i++)
		if (!stack->single[i].last)
			report_single(index, i, &stack->single[i], NULL);
	stream_begin(RECORD_DONE);
	stream_word(index);
	stream_word(used + stack->singles);
	stream_long(now_ns() - began);
	stream_end();
}

void run_batch(const struct batch *batch)
{
	const struct sched_param none = { 0 };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	task.shared = shared;
	/* Who is woken does not take the processor from who woke it: each such turn costs an emulator all that it knew of addresses. */
	if (sched_setscheduler(0, SCHED_BATCH, &none) < 0)
		die("sched_setscheduler");
	task_init();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (uint32_t i = 0; i < batch->tables; i++)
		learn_natural(&batch->table[i], i);
	for (uint32_t i = 0; i < batch->stacks; i++)
		run_stack(batch, i);
}
