# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py filter prove`: one system call, under every ABI that has it and in every way in which the ABI makes it."""

from collections.abc import Iterator
from dataclasses import dataclass

from testcases.seccomp.bpf.seccomp_data import ABIS, order_of_abi, together
from testcases.seccomp.cli.analysis import proof_lines
from testcases.seccomp.cli.conditions import clauses
from testcases.seccomp.cli.questions import AbiQuestion
from testcases.seccomp.filters.words import CallWay, integer, no_call, ways_of
from testcases.seccomp.prove.oracle import CallPermission, Oracle
from util.errors import UserError
from util.stop import Deadline


@dataclass(frozen=True, slots=True)
class Reply:
    """`unknown`: 1 if the time was over before anything was known, else 0."""

    lines: tuple[str, ...]
    unknown: int = 0


def proved(asked: tuple[AbiQuestion, ...], word: str, until: Deadline, *, whole: bool) -> Iterator[Reply]:
    """The answers, in order. Raises UserError if no ABI has the call."""
    ways = [(one, way) for one in asked for way in _ways(one, word)]
    if not ways:
        raise UserError(no_call(word, asked[0].abi))
    for one in asked:
        own = [way for other, way in ways if other is one]
        for way in own:
            yield _answered(one, way, word, until, whole=whole)
        if not own and one.named:
            yield Reply((no_call(word, one.abi),))


def require_call(word: str, abis: tuple[str, ...]) -> None:
    """Raises UserError if none of these ABIs has the call."""
    if abis and not any(ways_of(word, abi) for abi in abis):
        raise UserError(no_call(word, abis[0]))


def _ways(one: AbiQuestion, word: str) -> tuple[CallWay, ...]:
    """Where ABIs share an architecture (as x32 does) a bare number is of the one whose offset it has, unless the user
    asked for the ABI."""
    ways, shared = ways_of(word, one.abi), together(one.abi)
    if one.named or len(shared) == 1 or integer(word) is None:
        return ways
    offsets = max(ABIS[abi].offset for abi in shared)
    return tuple(way for way in ways if way.nr & offsets == ABIS[one.abi].offset or way.nr >> 31)


def _answered(one: AbiQuestion, way: CallWay, word: str, until: Deadline, *, whole: bool) -> Reply:
    arch, order = ABIS[one.abi].audit_arch, order_of_abi(one.abi)
    oracle = Oracle(one.stack, dict(way.known), until)
    proof = oracle.prove(way.nr, arch)
    regions = oracle.regions(way.nr, arch) if len({witness.value for witness in proof.witnesses}) > 1 else None
    conditions = {
        value: clauses(boxes, wide=ABIS[one.abi].wide, order=order) for value, boxes in (regions or {}).items()
    }
    name = f"{word} ({way.nr:#x}) of {one.abi}" + (f", {way.text}" if way.text else "")
    lines = tuple(proof_lines(name, proof, conditions, whole=whole, seconds=until.seconds))
    return Reply(lines, int(proof.answer is CallPermission.UNKNOWN))
