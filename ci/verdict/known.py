# SPDX-License-Identifier: GPL-2.0-or-later
"""Known issues: what may fail, why, and until when. A YAML file, loaded and checked by `configs.loader`.

An entry takes its tests out of the verdict only while it is true: one that has expired fails the run, and so does one
whose tests were run and no longer have its status.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from ci.model.stages import FAULT
from ci.model.verdicts import Comparison, Effect, KnownEntry, KnownIssue, KnownOutcome, KnownState
from configs.loader import load_with_lines
from configs.model import Profile, Strict
from configs.result import Status


class KnownIssues(Strict):
    """The file: `issues:` and the list."""

    issues: tuple[KnownEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Issue:
    """An entry and where it stands (`file:line`)."""

    entry: KnownEntry
    where: str

    def record(self) -> KnownIssue:
        entry = self.entry
        return KnownIssue(
            test=entry.test, reason=entry.reason, link=entry.link, expires=entry.expires.isoformat(), where=self.where
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all cells of a run."""

    source_version: str


def known_issues(profile: Profile) -> tuple[Issue, ...]:
    """The entries of the file that the profile names, if any. Raises UserError with file and line."""
    return load_known(Path(profile.known_issues)) if profile.known_issues else ()


def load_known(path: Path) -> tuple[Issue, ...]:
    """The entries of the file. Raises UserError with file and line."""
    found, node = load_with_lines(path, KnownIssues)
    lines = [*_lines(node), *[1] * len(found.issues)]  # those that a merge key (`<<`) brings have no line of their own
    return tuple(Issue(entry, f"{path}:{line}") for entry, line in zip(found.issues, lines, strict=False))


def _lines(node: yaml.Node | None) -> list[int]:
    """The line, from 1, on which each entry starts."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = [value for key, value in pairs if key.value == "issues" and isinstance(value, yaml.SequenceNode)]
    return [item.start_mark.line + 1 for value in found for item in value.value]


def apply_known(
    comparisons: Sequence[Comparison], issues: Sequence[Issue], today: date, place: Surroundings
) -> tuple[tuple[Comparison, ...], tuple[KnownOutcome, ...]]:
    """The comparisons with the known ones marked and taken out of the verdict, and what became of each entry."""
    used: set[Issue] = set()
    judged = []
    for item in comparisons:
        issue = next((issue for issue in issues if _explains(issue.entry, item, place)), None)
        if issue is None:
            judged.append(item)
            continue
        used.add(issue)
        judged.append(item.model_copy(update={"effect": Effect.NONE, "known": issue.record()}))
    outcomes = tuple(_outcome(issue, issue in used, comparisons, today, place) for issue in issues)
    return tuple(judged), outcomes


def _explains(entry: KnownEntry, item: Comparison, place: Surroundings) -> bool:
    """An absent test has no status, so an entry that expects a FAIL does not match it."""
    return _covers(entry, item, place) and entry.status in item.patched


def _covers(entry: KnownEntry, item: Comparison, place: Surroundings) -> bool:
    cell = item.cell
    pairs = (
        (item.test, entry.test),
        (cell.suite, entry.suite),
        (cell.arch, entry.arch),
        (cell.abi, entry.abi),
        (cell.flavour, entry.flavour),
        (place.source_version, entry.source),
    )
    return all(fnmatchcase(value, glob) for value, glob in pairs)


def _outcome(
    issue: Issue, used: bool, comparisons: Sequence[Comparison], today: date, place: Surroundings
) -> KnownOutcome:
    entry = issue.entry
    if entry.expires < today:
        message = f"{issue.where}: expired on {entry.expires}: look at it again, then mend the kernel or move the date"
        return KnownOutcome(issue=issue.record(), state=KnownState.EXPIRED, effect=Effect.FAIL, message=message)
    if used:
        return KnownOutcome(issue=issue.record(), state=KnownState.MATCHED, effect=Effect.NONE)
    if entry.flaky or not _was_run(entry, comparisons, place):
        message = f"{issue.where}: the suite was run and has no such test" if _absent(entry, comparisons, place) else ""
        return KnownOutcome(issue=issue.record(), state=KnownState.UNUSED, effect=Effect.NONE, message=message)
    message = f"{issue.where}: no test of it is {entry.status} any more: remove the entry"
    return KnownOutcome(issue=issue.record(), state=KnownState.PASSES, effect=Effect.FAIL, message=message)


def _absent(entry: KnownEntry, comparisons: Sequence[Comparison], place: Surroundings) -> bool:
    """Whether the entry names a suite that was run in its cells, and no test of it. An entry that names no suite may
    belong to one that was not run."""
    if entry.suite == "*" or any(_covers(entry, item, place) for item in comparisons):
        return False
    return any(_covers(entry.model_copy(update={"test": "*"}), item, place) for item in comparisons)


def _was_run(entry: KnownEntry, comparisons: Sequence[Comparison], place: Surroundings) -> bool:
    """Whether the run covered the tests of the entry. A fault that did not occur leaves no test, only a guest that
    ended."""
    probe = "guest/end" if entry.test.startswith(FAULT) else entry.test
    looked = entry.model_copy(update={"test": probe})
    return any(
        _covers(looked, item, place)
        and any(status in (Status.PASS, Status.FAIL, Status.SKIP) for status in item.patched)
        for item in comparisons
    )
