/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What windows.c uses of QEMU's plugin interface, written down here because Debian's QEMU comes without the header. A
 * plugin states one version, PLUGIN_VERSION, and QEMU refuses what it does not serve. The versions differ in two places:
 *
 *	1	QEMU 6.0 to 8.2: an inline operation adds to a place in memory
 *	2	from 9.0: it adds to a place in a scoreboard, which holds an element for each virtual processor
 *	3	from 9.1: an instruction's bytes are copied out
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifndef PLUGIN_VERSION
#error "PLUGIN_VERSION is the version of the interface that the QEMU at hand serves"
#endif
#define EXPORTED __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

enum callback_flags { NO_REGISTERS };
enum inline_operation { ADD_U64 };

EXPORTED extern int qemu_plugin_version;
EXPORTED int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc, char **argv);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
#if PLUGIN_VERSION >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *bytes, size_t most);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
#endif
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*call)(uint64_t id, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*call)(unsigned int cpu, void *data),
					    enum callback_flags flags, void *data);
#if PLUGIN_VERSION >= 2
struct qemu_plugin_scoreboard;

struct place {
	struct qemu_plugin_scoreboard *board;
	size_t offset;
};

struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element_size);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *board, unsigned int cpu);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn,
							 enum inline_operation operation,
							 struct place counter, uint64_t summand);
#else
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum inline_operation operation,
						void *counter, uint64_t summand);
#endif

#endif
