// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU: which instructions a guest executes in the windows that its program marks, each by its address.
 *
 * A window reaches from one look at the counter in user space to the next one, as testcases/benchmark/guest/counter.h
 * has them. One of the two looks belongs to it, so it holds as many instructions as their values are apart. Which looks
 * are meant the program says by a number of marks before the first one, instructions that do nothing.
 *
 * Every instruction of the guest adds one to the counter of its address. Written, into the file `out=`, is how much they
 * grew in a window, as soon as it ends:
 *
 *	window MARKS
 *	ADDRESS COUNT		both hexadecimal
 *	end
 *
 * For guests with one processor: nothing here is locked.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "plugin.h"

#define MOST (1u << 22)		/* addresses; the room for them is taken as they come */
#define BUCKETS (2 * MOST)
#define FORMS 8

struct spot {
	uint64_t address;
	uint64_t before;	/* the count when the window began */
};

int qemu_plugin_version = PLUGIN_VERSION;

static struct spot *spots;
static uint64_t *counts;	/* of the spots, in the same order */
static uint32_t used;
static uint32_t *buckets;	/* by hash of the address: index of its spot, plus one */
static uint64_t marks;
static uint64_t window;		/* the marks of the one that is open, or 0 */
static FILE *out;

static void *room(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("windows: mmap");
		exit(1);
	}
	return memory;
}

/* The index of the address among the spots. */
static uint32_t spot_of(uint64_t address)
{
	uint32_t bucket = (address * UINT64_C(0x9e3779b97f4a7c15) >> 32) % BUCKETS;

	while (buckets[bucket]) {
		if (spots[buckets[bucket] - 1].address == address)
			return buckets[bucket] - 1;
		bucket = (bucket + 1) % BUCKETS;
	}
	if (used == MOST) {
		fprintf(stderr, "windows: more than %u addresses\n", MOST);
		exit(1);
	}
	spots[used].address = address;
	buckets[bucket] = ++used;
	return used - 1;
}

/* The room for the counts, and how QEMU is told to count: by the interface's version. */
#if PLUGIN_VERSION >= 2
static struct qemu_plugin_scoreboard *board;

static void make_counts(void)
{
	board = qemu_plugin_scoreboard_new(MOST * sizeof(*counts));
}

static void find_counts(void)
{
	counts = qemu_plugin_scoreboard_find(board, 0);	/* it may move until the guest's processor is there */
}

static void count_at(struct qemu_plugin_insn *insn, uint32_t spot)
{
	struct place place = { board, spot * sizeof(*counts) };

	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, ADD_U64, place, 1);
}
#else
static void make_counts(void)
{
	counts = room(MOST * sizeof(*counts));
}

static void find_counts(void)
{
}

static void count_at(struct qemu_plugin_insn *insn, uint32_t spot)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, &counts[spot], 1);
}
#endif

#define LONGEST 16		/* bytes of an instruction: x86 has 15 */

/* The bytes of an instruction; at the most LONGEST of them go through `copy`. */
static const unsigned char *bytes_of(struct qemu_plugin_insn *insn, unsigned char *copy)
{
#if PLUGIN_VERSION >= 3
	qemu_plugin_insn_data(insn, copy, LONGEST);
	return copy;
#else
	(void)copy;
	return qemu_plugin_insn_data(insn);
#endif
}

static void marked(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	marks++;
}

static void close_window(void)
{
	fprintf(out, "window %" PRIu64 "\n", window);
	for (uint32_t i = 0; i < used; i++)
		if (counts[i] != spots[i].before)
			fprintf(out, "%" PRIx64 " %" PRIx64 "\n", spots[i].address, counts[i] - spots[i].before);
	fputs("end\n", out);
	fflush(out);
	window = 0;
}

static void looked(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	find_counts();
	if (window)
		close_window();
	if (!marks)
		return;
	window = marks;
	marks = 0;
	for (uint32_t i = 0; i < used; i++)
		spots[i].before = counts[i];
}

/*
 * Instructions of user space at which something is to be done besides counting them: their bytes in the order of the addresses,
 * of which those bits count that are set in `mask`. The architecture's file has them (configs/archs).
 */
struct form {
	unsigned char bytes[LONGEST], mask[LONGEST];
	size_t size;
};

struct forms {
	struct form form[FORMS];
	size_t count;
};

static struct forms mark_forms, look_forms;
static uint64_t kernel_from;	/* the lowest address of the kernel's code */

static int is_one(const struct forms *forms, const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < forms->count; i++) {
		const struct form *form = &forms->form[i];
		size_t equal = 0;

		if (form->size != size)
			continue;
		while (equal < size && (bytes[equal] & form->mask[equal]) == form->bytes[equal])
			equal++;
		if (equal == size)
			return 1;
	}
	return 0;
}

/* So many bytes from hexadecimal digits; what follows them. */
static const char *take_bytes(const char *text, unsigned char *bytes, size_t *size)
{
	for (*size = 0; *size < LONGEST && sscanf(text, "%2hhx", &bytes[*size]) == 1; ++*size)
		text += 2;
	return text;
}

/* BYTES or BYTES/MASK; 0 for what is neither. */
static int add_form(struct forms *forms, const char *text)
{
	struct form *form = &forms->form[forms->count];
	size_t masked;

	if (forms->count == FORMS)
		return 0;
	memset(form->mask, 0xff, sizeof(form->mask));
	text = take_bytes(text, form->bytes, &form->size);
	masked = form->size;
	if (*text == '/')
		text = take_bytes(text + 1, form->mask, &masked);
	forms->count++;
	return form->size && masked == form->size && !*text;
}

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
	size_t count = qemu_plugin_tb_n_insns(block);

	(void)id;
	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		size_t size = qemu_plugin_insn_size(insn);
		unsigned char copy[LONGEST];
		const unsigned char *bytes = bytes_of(insn, copy);

		count_at(insn, spot_of(address));
		if (address >= kernel_from)
			continue;
		if (is_one(&mark_forms, bytes, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, NO_REGISTERS, NULL);
		else if (is_one(&look_forms, bytes, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, looked, NO_REGISTERS, NULL);
	}
}

/* One argument of the plugin; 0 for what is none. */
static int take_argument(const char *text)
{
	if (!strncmp(text, "mark=", 5))
		return add_form(&mark_forms, text + 5);
	if (!strncmp(text, "look=", 5))
		return add_form(&look_forms, text + 5);
	if (!strncmp(text, "kernel=", 7))
		return (kernel_from = strtoull(text + 7, NULL, 0)) != 0;
	if (!strncmp(text, "out=", 4))
		return (out = fopen(text + 4, "w")) != NULL;
	return 0;
}

int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!take_argument(argv[i])) {
			fprintf(stderr, "windows: %s: not understood, or no file that can be written\n", argv[i]);
			return -1;
		}
	}
	if (!out || !kernel_from || !mark_forms.count || !look_forms.count) {
		fprintf(stderr, "windows: needs out=, kernel=, mark= and look=\n");
		return -1;
	}
	spots = room(MOST * sizeof(*spots));
	buckets = room(BUCKETS * sizeof(*buckets));
	make_counts();
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
