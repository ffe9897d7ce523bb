# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py filter analyse` and `prove`: what would be cached by which design, what not and why, and what is provable."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from testcases.seccomp.bpf.actions import action_text
from testcases.seccomp.bpf.assembly import instruction_text
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.interpret import run
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.filters.words import names_of
from testcases.seccomp.prove.designs import NO_FILTER, Design, Merged, Spoiler, designs
from testcases.seccomp.prove.facts import KernelFacts, abi_numbers
from testcases.seccomp.prove.oracle import Allowance, Classification, Oracle, Witness
from testcases.seccomp.prove.u32set import NumberSet

WIDTH = 98
_SHORT = {Allowance.ALWAYS_ALLOW: "always", Allowance.NEVER_ALLOW: "never", Allowance.DEPENDS: "depends"}


@dataclass(frozen=True, slots=True)
class Analysis:
    """One stack under one ABI and one kernel: all over the numbers of the ABI's own table."""

    stack: Stack
    abi: str
    arch: int
    numbers: NumberSet
    facts: KernelFacts
    answers: dict[int, Allowance]
    cached: dict[str, NumberSet]
    executed: dict[int, int]
    """Instructions that all filters execute for a call whose arguments are zero."""

    def name(self, nr: int) -> str:
        """`?` for a number that libseccomp has no name for."""
        return names_of(self.abi, len(self.numbers)).get(nr, "?")


def analyse(stack: Stack, abi: str, facts: KernelFacts) -> Analysis:
    """Raises MachineError if z3 gives up."""
    arch = ABIS[abi].audit_arch
    numbers = abi_numbers(abi, facts.sizes[arch])
    answers = {nr: proof.answer for part, proof in Oracle(stack).classes(arch, numbers) for nr in part}
    cached = {design.name: design.cached(stack, arch) & numbers for design in designs(facts)}
    executed = {nr: sum(run(program, Call(nr, arch)).executed for program in stack) for nr in numbers}
    return Analysis(stack, abi, arch, numbers, facts, answers, cached, executed)


def summary(found: Analysis, version: str) -> Iterator[str]:
    """What is cached by which design, and for the merged one what spoils the rest."""
    counts = {answer: list(found.answers.values()).count(answer) for answer in Allowance}
    always = {nr for nr, answer in found.answers.items() if answer is Allowance.ALWAYS_ALLOW}
    yield f"{found.abi}: {len(found.numbers)} numbers of kernel {version}"
    yield "  " + ", ".join(f"{count} {answer}" for answer, count in counts.items())
    costs = sorted(found.executed.values())
    yield (
        f"  instructions per call without a cache: {costs[0]} to {costs[-1]}, "
        f"{costs[len(costs) // 2]} in the middle (arguments zero)"
    )
    yield "  cached, and its share of what is always allowed:"
    for design in designs(found.facts):
        cached = found.cached[design.name]
        hit = len(always & set(cached))
        share = f"{100 * hit / len(always):5.1f} %" if always else "    -  "
        beyond = len(cached) - hit
        exempt = f", {beyond} exempt from filtering" if beyond else ""
        yield f"    {design.name:<8}{len(cached):>5}  {share}   {design.origin}{exempt}"
    yield from _spoilt(found, Merged(found.facts))


def _spoilt(found: Analysis, design: Design) -> Iterator[str]:
    """The numbers that are not cached, by what spoils them; those that are allowed nevertheless come first."""
    reasons = design.spoilers(found.stack, found.arch, found.numbers)
    if reasons:
        yield f"  not cached by `{design.name}`:"
    rows = [(part, spoiler) for part, spoiler in reasons]
    rows.sort(key=lambda row: all(found.answers[nr] is Allowance.NEVER_ALLOW for nr in row[0]))
    for part, spoiler in rows:
        yield f"    {len(part)}: {_blame(found.stack, spoiler)}"
        calls = [f"{name}{_mark(answer)}" for name, answer in _named(found, part)]
        yield from textwrap.wrap(
            " ".join(calls), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False
        )
    if rows:
        yield "    (+ always allowed nevertheless, ~ depends on the arguments)"


def _named(found: Analysis, part: NumberSet) -> Iterator[tuple[str, Allowance]]:
    """The calls of a set by name; numbers in a row that have none, and one answer, are one range."""
    names = names_of(found.abi, len(found.numbers))
    first = ABIS[found.abi].offset
    for (named, answer, _), numbers in groupby(
        enumerate(part), lambda item: (names.get(item[1]), found.answers[item[1]], item[1] - item[0])
    ):
        row = [nr - first for _, nr in numbers]
        yield named or (f"{row[0]}-{row[-1]}?" if len(row) > 1 else f"{row[0]}?"), answer


def _mark(answer: Allowance) -> str:
    return {Allowance.ALWAYS_ALLOW: "+", Allowance.DEPENDS: "~", Allowance.NEVER_ALLOW: ""}[answer]


def _blame(stack: Stack, spoiler: Spoiler) -> str:
    if spoiler.filter == NO_FILTER:
        return spoiler.reason
    text = instruction_text(stack[spoiler.filter][spoiler.index], spoiler.index)
    which = f"filter {spoiler.filter}, " if len(stack) > 1 else ""
    return f"{which}l{spoiler.index}: {text}  {spoiler.reason}"


def table(found: Analysis) -> Iterator[str]:
    """One row for each number: answer, an x for each design that caches it, instructions executed, what spoils it."""
    names = list(found.cached)
    blames = {
        nr: _blame(found.stack, spoiler)
        for part, spoiler in Merged(found.facts).spoilers(found.stack, found.arch, found.numbers)
        for nr in part
    }
    heads = " ".join(name[:6].ljust(6) for name in names)
    yield f"{'nr':>10} {'system call':<24} {'':<8}{heads} insns  spoilt by"
    for nr in found.numbers:
        marks = " ".join(("x" if nr in found.cached[name] else "-").ljust(6) for name in names)
        row = f"{nr:>10} {found.name(nr)[:24]:<24} {_SHORT[found.answers[nr]]:<8}{marks} {found.executed[nr]:>5}"
        yield f"{row}  {blames.get(nr, '')}"[:WIDTH].rstrip()


def proof_lines(name: str, proof: Classification) -> Iterator[str]:
    """The answer and a witness on each line, ready to try."""
    yield f"{name}: {proof.answer} (by {proof.method})"
    for witness in proof.witnesses:
        yield f"  {action_text(witness.value):<24} {_arguments(witness)}"


def _arguments(witness: Witness) -> str:
    call = witness.call
    fields = [f"args[{index}]={value:#x}" for index, value in enumerate(call.args) if value]
    if call.ip:
        fields.append(f"ip={call.ip:#x}")
    return " ".join(fields) or "all arguments zero"
