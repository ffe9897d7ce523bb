# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py filter analyse` and `prove`: what would be cached by which design, what not and why, and what is provable."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from testcases.seccomp.bpf.actions import action_text
from testcases.seccomp.bpf.assembly import instruction_text
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.interpret import run
from testcases.seccomp.bpf.seccomp_data import ABIS, ACTION_FULL, RET_TRACE, RET_USER_NOTIF
from testcases.seccomp.cli.conditions import plain
from testcases.seccomp.filters.words import names_of
from testcases.seccomp.prove.designs import NO_FILTER, Design, Merged, Spoiler, designs
from testcases.seccomp.prove.facts import KernelFacts, abi_numbers
from testcases.seccomp.prove.oracle import CallPermission, Classification, Oracle, Witness
from testcases.seccomp.prove.u32set import NumberSet
from util.stop import Deadline

Tell = Callable[[int, int], None]
"""Gets how many of how many are done."""

WIDTH = 98
_SHORT = {
    CallPermission.ALWAYS_ALLOW: "always",
    CallPermission.ALWAYS_LOG: "logged",
    CallPermission.NEVER_ALLOW: "never",
    CallPermission.DEPENDS: "depends",
    CallPermission.UNKNOWN: "unknown",
}
_RARE = (CallPermission.ALWAYS_LOG, CallPermission.UNKNOWN)
"""Not counted where there are none."""
_CLAUSES = 12
"""More alternatives of a condition are shown only if the user asks for all."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """One stack under one ABI and one kernel: all over the numbers of the ABI's own table."""

    stack: Stack
    abi: str
    arch: int
    numbers: NumberSet
    facts: KernelFacts
    answers: dict[int, CallPermission]
    cached: dict[str, NumberSet]
    executed: dict[int, int]
    """Instructions that all filters execute for a call whose arguments are zero."""

    @property
    def unknown(self) -> int:
        """How many numbers were not answered."""
        return sum(answer is CallPermission.UNKNOWN for answer in self.answers.values())

    def name(self, nr: int) -> str:
        """`?` for a number that libseccomp has no name for."""
        return names_of(self.abi, len(self.numbers)).get(nr, "?")


def analyse(
    stack: Stack, abi: str, facts: KernelFacts, until: Deadline | None = None, tell: Tell = lambda _done, _all: None
) -> Analysis:
    """Without a deadline, raises MachineError if z3 gives up. `tell` is called with how many classes are answered."""
    arch = ABIS[abi].audit_arch
    numbers = abi_numbers(abi, facts.sizes[arch])
    answers = {
        nr: proof.answer for part, proof in Oracle(stack, until=until).classes(arch, numbers, tell) for nr in part
    }
    cached = {design.name: design.cached(stack, arch) & numbers for design in designs(facts)}
    executed = {nr: sum(run(program, Call(nr, arch)).executed for program in stack) for nr in numbers}
    return Analysis(stack, abi, arch, numbers, facts, answers, cached, executed)


def summary(found: Analysis, version: str) -> Iterator[str]:
    """What is cached by which design, and for the merged one what spoils the rest."""
    counts = {answer: list(found.answers.values()).count(answer) for answer in CallPermission}
    always = {nr for nr, answer in found.answers.items() if answer is CallPermission.ALWAYS_ALLOW}
    yield f"{found.abi}: {len(found.numbers)} numbers of kernel {version}"
    yield "  " + ", ".join(f"{count} {answer}" for answer, count in counts.items() if count or answer not in _RARE)
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
    rows.sort(key=lambda row: all(found.answers[nr] is CallPermission.NEVER_ALLOW for nr in row[0]))
    for part, spoiler in rows:
        yield f"    {len(part)}: {_blame(found.stack, spoiler)}"
        calls = [f"{name}{_mark(answer)}" for name, answer in _named(found, part)]
        yield from textwrap.wrap(
            " ".join(calls), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False
        )
    if rows:
        yield "    (+ always allowed nevertheless, ~ depends on the arguments)"
        rare = [text for answer, text in _RARE_MARKS.items() if answer in found.answers.values()]
        if rare:
            yield f"    ({', '.join(rare)})"


_MARKS = {
    CallPermission.ALWAYS_ALLOW: "+",
    CallPermission.ALWAYS_LOG: "*",
    CallPermission.DEPENDS: "~",
    CallPermission.NEVER_ALLOW: "",
    CallPermission.UNKNOWN: "?",
}
_RARE_MARKS = {
    CallPermission.ALWAYS_LOG: "* allowed, and logged",
    CallPermission.UNKNOWN: "? not known, the time was over",
}


def _named(found: Analysis, part: NumberSet) -> Iterator[tuple[str, CallPermission]]:
    """The calls of a set by name; numbers in a row that have none, and one answer, are one range."""
    names = names_of(found.abi, len(found.numbers))
    first = ABIS[found.abi].offset
    for (named, answer, _), numbers in groupby(
        enumerate(part), lambda item: (names.get(item[1]), found.answers[item[1]], item[1] - item[0])
    ):
        row = [nr - first for _, nr in numbers]
        yield named or (f"{row[0]}-{row[-1]}?" if len(row) > 1 else f"{row[0]}?"), answer


def _mark(answer: CallPermission) -> str:
    return _MARKS[answer]


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


Conditions = Mapping[int, list[str]]
"""The alternatives for each value; empty where they cannot be told."""


def proof_lines(
    name: str, proof: Classification, conditions: Conditions, *, whole: bool, seconds: float
) -> Iterator[str]:
    """The answer; for each value that is possible a call to try and, where arguments matter, the condition.

    `whole`: all alternatives of a condition, however many they are.
    """
    yield f"{name}: {proof.answer} (by {proof.method})"
    values = list(dict.fromkeys(witness.value for witness in proof.witnesses))
    rest = _longest(conditions) if len(values) > 1 and not whole else None
    for value in values:
        witness = next(witness for witness in proof.witnesses if witness.value == value)
        yield f"  {action_text(value):<24} {_arguments(witness)}"
        if len(values) > 1 and conditions:
            yield from _when(conditions.get(value, []), whole=whole, rest=value == rest)
    if len(values) > 1 and not conditions:
        yield "  (the condition is not one of ranges and masks; these calls are examples)"
    yield from _remarks(values)
    if not proof.complete:
        yield f"  whether there are further values is not known after {seconds:g} s; --seconds gives more time"


def _longest(conditions: Conditions) -> int | None:
    """The one value whose condition is too long to be shown: it is returned wherever no other is."""
    long = [
        value
        for value, alternatives in conditions.items()
        if len(alternatives) > _CLAUSES or not all(map(plain, alternatives))
    ]
    return long[0] if len(long) == 1 else None


def _when(alternatives: list[str], *, whole: bool, rest: bool) -> Iterator[str]:
    if rest:
        yield "    otherwise (--all shows the condition)"
        return
    shown = alternatives if whole else alternatives[:_CLAUSES]
    for place, text in enumerate(shown):
        indent = "    when " if not place else "      or "
        yield from textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * 9, break_on_hyphens=False)
    if len(alternatives) > len(shown):
        yield f"      or {len(alternatives) - len(shown)} more alternatives (--all shows them)"


def _remarks(values: Iterable[int]) -> Iterator[str]:
    actions = {value & ACTION_FULL for value in values}
    if RET_TRACE in actions:
        yield "  (TRACE: a tracer decides; without one the call fails with ENOSYS)"
    if RET_USER_NOTIF in actions:
        yield "  (USER_NOTIF: a supervisor decides; without one the call fails with ENOSYS)"


def _arguments(witness: Witness) -> str:
    call = witness.call
    fields = [f"args[{index}]={value:#x}" for index, value in enumerate(call.args) if value]
    if call.ip:
        fields.append(f"ip={call.ip:#x}")
    return " ".join(fields) or "all arguments zero"
