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
#define KERNEL (UINT64_C(1) << 63)

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

/* What to do at an instruction in user space, besides counting it. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "instructions are compared as little-endian words"
#endif

static int is_x86;

static int is_mark(const unsigned char *bytes, size_t size)
{
	static const unsigned char nop[] = { 0x0f, 0x1f, 0x80, 'M', 'A', 'R', 'K' };
	uint32_t word;

	if (is_x86)
		return size == sizeof(nop) && !memcmp(bytes, nop, sizeof(nop));
	if (size != sizeof(word))
		return 0;
	memcpy(&word, bytes, sizeof(word));
	return word == 0xd5032fff ||	/* aarch64: hint #127 */
	       word == 0xe320f0ff ||	/* arm: dbg #15 */
	       word == 0x80fff3af;	/* the same in Thumb: two half words */
}

static int is_look(const unsigned char *bytes, size_t size)
{
	uint32_t word;

	if (is_x86)
		return size == 2 && bytes[0] == 0x0f && bytes[1] == 0x31;
	if (size != sizeof(word))
		return 0;
	memcpy(&word, bytes, sizeof(word));
	return (word & 0xffffffe0) == 0xd53be040 ||	/* mrs xN, cntvct_el0 */
	       (word & 0xfff00fff) == 0xec500f1e ||	/* mrrc p15, 1, rN, rM, c14 */
	       (word & 0x0ffffff0) == 0x0f1eec50;	/* the same in Thumb */
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
		if (address & KERNEL)
			continue;
		if (is_mark(bytes, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, NO_REGISTERS, NULL);
		else if (is_look(bytes, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, looked, NO_REGISTERS, NULL);
	}
}

int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc, char **argv)
{
	const char *target = *(const char *const *)info;	/* its first member is the target's name */

	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	if (!out) {
		fprintf(stderr, "windows: out= names no file that can be written\n");
		return -1;
	}
	is_x86 = !strcmp(target, "x86_64") || !strcmp(target, "i386");
	spots = room(MOST * sizeof(*spots));
	buckets = room(BUCKETS * sizeof(*buckets));
	make_counts();
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
