# SPDX-License-Identifier: GPL-2.0-or-later
"""The merged emulator, one number at a time: what the pass over all numbers is measured against."""

from testcases.seccomp.bpf.instruction import Program
from testcases.seccomp.bpf.opcodes import AND_K, JA, JEQ_K, JGE_K, JGT_K, JSET_K, LD_ABS, RET_K, TESTS_K
from testcases.seccomp.bpf.seccomp_data import ARCH, NR, RET_ALLOW


def const_allow(program: Program, nr: int, arch: int) -> bool:
    a = pc = 0
    while True:
        insn = program[pc]
        pc += 1
        if insn.code == LD_ABS and insn.k in {NR, ARCH}:
            a = nr if insn.k == NR else arch
        elif insn.code == RET_K:
            return insn.k == RET_ALLOW
        elif insn.code == JA:
            pc += insn.k
        elif insn.code == AND_K:
            a &= insn.k
        elif insn.code in TESTS_K:
            taken = {JEQ_K: a == insn.k, JGT_K: a > insn.k, JGE_K: a >= insn.k, JSET_K: bool(a & insn.k)}[insn.code]
            pc += insn.jt if taken else insn.jf
        else:
            return False
