# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py filter show`: one filter as text, with what can be told of it at a glance."""

from collections import Counter
from collections.abc import Iterator

from testcases.seccomp.bpf.actions import action_text
from testcases.seccomp.bpf.assembly import instruction_text
from testcases.seccomp.bpf.call import field_name
from testcases.seccomp.bpf.field_in_a import archs_compared, held
from testcases.seccomp.bpf.instruction import Instruction, Program
from testcases.seccomp.bpf.opcodes import JEQ_K, JGE_K, JGT_K, JSET_K, LD_ABS, RET_A, RET_K
from testcases.seccomp.bpf.raw import SIZE
from testcases.seccomp.bpf.seccomp_data import ARCH, NR, X32_BIT
from testcases.seccomp.bpf.seccomp_data import SIZE as DATA_SIZE
from testcases.seccomp.bpf.validate import MAX_INSNS_PER_PATH, converted_length, refusal
from testcases.seccomp.filters.words import arch_text


def lines(name: str, program: Program) -> Iterator[str]:
    """The summary and the disassembly, below 100 columns; what follows `;` is a comment to `assembly`."""
    yield f"; {name}: {len(program)} instructions, {len(program) * SIZE} bytes"
    found = refusal(program)
    if found is None:
        yield f"; valid; {converted_length(program)} of the {MAX_INSNS_PER_PATH} that all filters of a task may have"
    else:
        yield f"; the kernel refuses it with {found}"
    yield f"; architectures: {_architectures(program)}"
    yield f"; layout: {layout(program)}"
    yield f"; returns: {_returns(program)}"
    for index, (insn, field) in enumerate(zip(program, held(program), strict=True)):
        text = f"l{index}: {instruction_text(insn, index)}"
        note = _note(insn, field)
        yield f"{text:<44}; {note}" if note else text


def layout(program: Program) -> str:
    """Which of libseccomp's layouts it looks like. A tree (SCMP_FLTATR_CTL_OPTIMIZE 2) halves the numbers by `jgt` down
    to a few, which are then compared one by one; a list compares all of them so."""
    codes = Counter(insn.code for insn in program if insn.k & ~X32_BIT < 0x10000)
    halvings, equal = codes[JGT_K] + codes[JGE_K], codes[JEQ_K]
    if equal < 4:
        return "too few numbers are compared to tell"
    if halvings >= 3 and halvings * 8 >= equal:
        return "a binary tree, as libseccomp's optimisation level 2 makes"
    return "a linear list, as libseccomp's optimisation level 1 makes"


def _architectures(program: Program) -> str:
    tested = any(
        (insn.code in {JGE_K, JSET_K} and insn.k == X32_BIT) or (insn.code == JGT_K and insn.k == X32_BIT - 1)
        for insn in program
    )
    names = ", ".join(f"{arch_text(arch)} ({arch:#x})" for arch in archs_compared(program)) or "none is compared with"
    return names + ("; bit 30 (x32) is tested" if tested else "")


def _returns(program: Program) -> str:
    counts = Counter(action_text(insn.k) for insn in program if insn.code == RET_K)
    counts.update("what A holds" for insn in program if insn.code == RET_A)
    return ", ".join(f"{text} x{count}" for text, count in counts.most_common(6))


def _note(insn: Instruction, field: int) -> str:
    """What the constant of an instruction means where A holds `field`."""
    if insn.code == LD_ABS and insn.k < DATA_SIZE and insn.k % 4 == 0:
        return field_name(insn.k)
    if insn.code == RET_K:
        return action_text(insn.k)
    if insn.code == JEQ_K and field == ARCH:
        return arch_text(insn.k)
    if insn.code in {JGE_K, JSET_K} and insn.k == X32_BIT and field == NR:
        return "x32"
    return ""
