# SPDX-License-Identifier: GPL-2.0-or-later
"""Lays two revisions of a series side by side: which patch became which, by `git range-diff` in the store."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from kernels.patches.patch import Patch
from kernels.source.git import require
from kernels.source.store import Store
from util.stop import Stop

_HEADER = re.compile(r"^ *(-|\d+): +\S+ ([=!<>]) +(-|\d+): +\S+ (.*)$")
_INDENT = "    "


class PatchChange(StrEnum):
    """What became of one patch. TEXT: its diff is the same, and its message or its place is not."""

    SAME = "same"
    TEXT = "text"
    CHANGED = "changed"
    NEW = "new"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class PatchPair:
    """One patch of the revision before and what it became. Numbers count from 1 and are 0 where there is none; `diff`
    is range-diff's diff of the two patches, without its indent."""

    before: int
    after: int
    change: PatchChange
    subject: str
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppliedRevision:
    """One applied revision: the commits before its first and after its last patch."""

    patches: Sequence[Patch]
    base: str
    tip: str


def range_diff(store: Store, before: AppliedRevision, after: AppliedRevision, stop: Stop) -> tuple[PatchPair, ...]:
    """Every patch of both, in the order of the revision after, each dropped one where git names it. Patches of one
    patch-id are a pair, the others are paired as git pairs them, and of those that it leaves alone two of one subject
    are a pair as well: git takes a short patch that changed for another one. Raises MachineError, Stopped."""
    ranges = (f"{before.base}..{before.tip}", f"{after.base}..{after.tip}")
    pairs = by_patch_id(_git(store, ranges, stop), before.patches, after.patches)
    alone = {pair.subject: pair.before for pair in pairs if pair.change is PatchChange.DROPPED}
    if not any(pair.change is PatchChange.NEW and pair.subject in alone for pair in pairs):
        return pairs
    olds, news = (require(store.run("rev-list", "--reverse", one, stop=stop)).decode().split() for one in ranges)
    found = []
    for pair in pairs:
        old = alone.pop(pair.subject, 0) if pair.change is PatchChange.NEW else 0
        found.append(_by_subject(store, old, olds[old - 1], pair, news[pair.after - 1], stop) if old else pair)
    taken = {pair.before for pair in found if pair.after}
    return tuple(pair for pair in found if pair.after or pair.before not in taken)


def _by_subject(store: Store, number: int, old: str, pair: PatchPair, new: str, stop: Stop) -> PatchPair:
    """The commits `old`, patch `number` of the revision before, and `new`, of `pair`, as one patch that changed."""
    every = _git(store, (f"{old}^..{old}", f"{new}^..{new}"), stop, "--creation-factor=1000")
    return PatchPair(
        number, pair.after, PatchChange.CHANGED, pair.subject, tuple(line for one in every for line in one.diff)
    )


def _git(store: Store, ranges: tuple[str, str], stop: Stop, *options: str) -> tuple[PatchPair, ...]:
    command = ("range-diff", "--no-color", "--no-notes", "--no-ext-diff", *options, *ranges)
    return parse(require(store.run(*command, stop=stop)).decode("utf-8", "replace"))


def parse(text: str) -> tuple[PatchPair, ...]:
    """What `git range-diff` printed. A line that is neither a pair nor indented is passed over."""
    found: list[PatchPair] = []
    for line in text.splitlines():
        if header := _HEADER.match(line):
            old, mark, new, subject = header.groups()
            change = {"=": PatchChange.SAME, "!": PatchChange.CHANGED, "<": PatchChange.DROPPED, ">": PatchChange.NEW}[
                mark
            ]
            found.append(PatchPair(_number(old), _number(new), change, subject))
        elif found and line.startswith(_INDENT):
            found[-1] = replace(found[-1], diff=(*found[-1].diff, line.removeprefix(_INDENT)))
    return tuple(found)


def _number(word: str) -> int:
    return 0 if word == "-" else int(word)


def by_patch_id(pairs: Sequence[PatchPair], before: Sequence[Patch], after: Sequence[Patch]) -> tuple[PatchPair, ...]:
    """git's pairs, corrected where two patches have one patch-id: they are a pair, and what git had paired either of
    them with stands alone. Without git's pairs (a series that does not apply) all others stand alone."""
    equal = dict(_equal(before, after))
    found = [_named(pair, equal) for pair in pairs if _agrees(pair, equal)]
    known = {(pair.before, pair.after) for pair in found}
    added = [
        PatchPair(old, new, PatchChange.TEXT, after[new - 1].subject)
        for old, new in equal.items()
        if (old, new) not in known
    ]
    olds, news = ({getattr(pair, side) for pair in (*found, *added)} for side in ("before", "after"))
    added += [PatchPair(at, 0, PatchChange.DROPPED, patch.subject) for at, patch in _numbered(before) if at not in olds]
    added += [PatchPair(0, at, PatchChange.NEW, patch.subject) for at, patch in _numbered(after) if at not in news]
    if not added:
        return tuple(found)
    return tuple(sorted((*found, *added), key=lambda pair: (pair.after or pair.before, pair.before)))


def _numbered(patches: Sequence[Patch]) -> Iterator[tuple[int, Patch]]:
    return iter(enumerate(patches, 1))


def _equal(before: Sequence[Patch], after: Sequence[Patch]) -> Iterator[tuple[int, int]]:
    """(number before, number after) of patches with one patch-id, each used once, in order."""
    left: dict[str, list[int]] = {}
    for number, patch in enumerate(before, 1):
        if patch.patch_id:
            left.setdefault(patch.patch_id, []).append(number)
    for number, patch in enumerate(after, 1):
        if left.get(patch.patch_id):
            yield left[patch.patch_id].pop(0), number


def _agrees(pair: PatchPair, equal: Mapping[int, int]) -> bool:
    """Whether patch-ids leave both patches of a pair to each other, or know neither."""
    return equal.get(pair.before, 0) == pair.after if pair.before in equal else pair.after not in equal.values()


def _named(pair: PatchPair, equal: Mapping[int, int]) -> PatchPair:
    """A pair whose patch-ids are equal is not `changed`."""
    same_diff = pair.before in equal and pair.change is PatchChange.CHANGED
    return replace(pair, change=PatchChange.TEXT) if same_diff else pair
