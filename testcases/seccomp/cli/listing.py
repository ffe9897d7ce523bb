# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py filter show`: one filter as text, with what can be told of it at a glance."""

import textwrap
from collections import Counter
from collections.abc import Iterator

from testcases.seccomp.bpf.actions import action_text
from testcases.seccomp.bpf.assembly import instruction_text
from testcases.seccomp.bpf.call import field_name
from testcases.seccomp.bpf.instruction import SIZE, Instruction, Program
from testcases.seccomp.bpf.opcodes import JEQ_K, JGE_K, JGT_K, JSET_K, LD_ABS, RET_A, RET_K, skips
from testcases.seccomp.bpf.registers import archs_compared, fields_in_a
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH, ARCH_ABIS, DEFAULT_ARCH, NR, X32_BIT, order_of_abi, together
from testcases.seccomp.bpf.seccomp_data import SIZE as DATA_SIZE
from testcases.seccomp.bpf.validate import MAX_INSNS_PER_PATH, converted_length, refusal
from testcases.seccomp.filters.words import arch_text, arch_told, names_of


def lines(name: str, program: Program, how: str = "") -> Iterator[str]:
    """The summary and the disassembly, below 100 columns; what follows `;` is a comment to `assembly`. `how` says
    who would load it so."""
    yield f"; {name}: {len(program)} instructions, {len(program) * SIZE} bytes"
    found = refusal(program)
    if found is None:
        yield f"; valid; {converted_length(program)} of the {MAX_INSNS_PER_PATH} that all filters of a task may have"
    else:
        yield f"; the kernel refuses it with {found}"
    yield f"; architectures: {_architectures(program)}"
    yield f"; layout: {layout(program)}"
    yield f"; returns: {_returns(program)}"
    if how:
        yield from textwrap.wrap(how, 96, initial_indent="; ", subsequent_indent=";   ")
    abis = abis_at(program)
    for index, (insn, field) in enumerate(zip(program, fields_in_a(program), strict=True)):
        text = f"l{index}: {instruction_text(insn, index)}"
        note = _note(insn, field, abis[index])
        yield f"{text:<44}; {note}" if note else text


def layout(program: Program) -> str:
    """Which of libseccomp's layouts it looks like. A tree (SCMP_FLTATR_CTL_OPTIMIZE 2) halves the numbers by `jgt` down
    to a few, which are then compared one by one; a list compares all of them so."""
    numbers = [
        insn.code
        for insn, field in zip(program, fields_in_a(program), strict=True)
        if insn.k & ~X32_BIT < 0x10000 and field in {NR, ARCH}
    ]
    codes = Counter(numbers)
    halvings, equal = codes[JGT_K] + codes[JGE_K], codes[JEQ_K]
    if equal < 4:
        return "too few numbers are compared to tell"
    if halvings >= 3 and halvings * 8 >= equal:
        return "a binary tree, as libseccomp's optimisation level 2 makes"
    return "a linear list, as libseccomp's optimisation level 1 makes"


_WITH_BIT: str = next(abi for abi, facts in ABIS.items() if facts.offset == X32_BIT)


def _architectures(program: Program) -> str:
    tested = any(
        (insn.code in {JGE_K, JSET_K} and insn.k == X32_BIT) or (insn.code == JGT_K and insn.k == X32_BIT - 1)
        for insn in program
    )
    names = ", ".join(map(arch_told, archs_compared(program))) or "none is compared with"
    return names + (f"; bit 30 ({_WITH_BIT}) is tested" if tested else "")


def _returns(program: Program) -> str:
    counts = Counter(action_text(insn.k) for insn in program if insn.code == RET_K)
    counts.update("what A holds" for insn in program if insn.code == RET_A)
    return ", ".join(f"{text} x{count}" for text, count in counts.most_common(6))


def _note(insn: Instruction, field: int, abis: tuple[str, ...]) -> str:
    """What the constant of an instruction means where A holds `field`, and the calls are of one of `abis`."""
    if insn.code == LD_ABS and insn.k < DATA_SIZE and insn.k % 4 == 0:
        return field_name(insn.k, "big" if {order_of_abi(abi) for abi in abis} == {"big"} else "little")
    if insn.code == RET_K:
        return action_text(insn.k)
    if insn.code == JEQ_K and field == ARCH:
        return arch_text(insn.k)
    if insn.code in {JEQ_K, JGT_K, JGE_K} and field == NR and insn.k not in {X32_BIT, X32_BIT - 1}:
        return _call(insn.k, abis)
    if insn.code in {JGE_K, JSET_K} and insn.k == X32_BIT and field == NR:
        return _WITH_BIT
    return ""


def _call(nr: int, abis: tuple[str, ...]) -> str:
    """The system call of this number; for each ABI on its own if it is not the same in all."""
    by_abi = {abi: names_of(abi, _TABLE).get(nr, "") for abi in abis}
    names = dict.fromkeys(name for name in by_abi.values() if name)
    if len(names) < 2:
        return next(iter(names), "")
    return ", ".join(f"{name} ({abi})" for abi, name in by_abi.items() if name)


_TABLE = 600
"""No table of system calls is longer."""


def abis_at(program: Program) -> list[tuple[str, ...]]:
    """For each instruction the ABIs whose calls can get there, as far as comparisons of the architecture tell."""
    fields = fields_in_a(program)
    every = tuple(ABIS) if archs_compared(program) else together(ARCH_ABIS[DEFAULT_ARCH][0])
    found: list[set[str]] = [set() for _ in program]
    found[0] = set(every)
    for index, insn in enumerate(program):
        here = found[index]
        for skip, taken in zip(skips(insn), (True, False), strict=False):
            target = index + 1 + skip
            if target < len(program):
                compares = insn.code == JEQ_K and fields[index] == ARCH
                found[target] |= {abi for abi in here if not compares or (ABIS[abi].audit_arch == insn.k) is taken}
    return [tuple(abi for abi in ABIS if abi in abis) for abis in found]
