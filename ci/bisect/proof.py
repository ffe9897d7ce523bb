# SPDX-License-Identifier: GPL-2.0-or-later
"""Proof of the culprit beyond its place: does reverting it mend the bad end, and can it have had an effect at all?"""

import re
from pathlib import Path

from ci.bisect.facts.asking import Asking
from ci.bisect.facts.oracle import NOT_APPLIED, FactSource
from ci.bisect.facts.signature import Boot, BootAnswer, Signature
from ci.bisect.facts.state import State
from ci.bisect.facts.steps import BisectStep
from ci.bisect.git_driver import GitDriver
from ci.bisect.report.answer import KernelBoots, Proof
from ci.bisect.search import SearchEnd
from ci.bisect.sequential import BootTally, Rates, SequentialDecision
from kernels.build.make.expected import count_stale
from kernels.build.reuse import relevant
from kernels.build.store.build_store import BuildStore
from util.errors import UserError
from util.files.atomic import write_atomic
from util.text import counted

REVERT = "revert.patch"
_NO_CODE = re.compile(r"^(Documentation/|tools/testing/|\.|MAINTAINERS$|CREDITS$|COPYING$|LICENSES/)")


def witness(asking: Asking, signature: Signature, commit: str, subject: str = "") -> KernelBoots:
    """One commit and what its guests said so far."""
    tally = asking.tally(commit, signature)
    return KernelBoots(
        commit=commit,
        name=asking.name(commit),
        subject=subject,
        boots=tally.boots,
        failures=tally.failures,
        evidence=evidence(asking.boots(commit), signature),
    )


def evidence(boots: tuple[Boot, ...], signature: Signature) -> Boot | None:
    """The first boot that shows the fault, else the last one that gave an answer."""
    shown = [boot for boot in boots if signature.answer(boot) is BootAnswer.SHOWS]
    absent = [boot for boot in boots if signature.answer(boot) is BootAnswer.ABSENT]
    return next(iter(shown[:1] or absent[-1:] or boots[-1:]), None)


def prove(
    asking: Asking, driver: GitDriver, place: SearchEnd, signature: Signature, rates: Rates, error: float,
    reverting: "Reverting", fixed: bool,
) -> Proof:  # fmt: skip
    """What speaks for and against the one commit of `place`, whose parents were booted already."""
    commit = place.found[0]
    parents = driver.parents(commit)
    suspicious = _suspicions(asking, driver, commit, parents)
    missing = [
        f"the parent {asking.name(item)} shows it as well: look outside of the path limits" for item in place.outside
    ]
    missing += [f"{asking.name(item)} could not be asked" for item in place.unasked]
    revert, text = ("not asked", "") if fixed else reverting.ask(commit, rates, error)
    if revert == "does not mend":
        missing.append(text)
    if asking.tally(commit, signature).boots == 0 and not asking.sought.builds:
        missing.append("no guest of the culprit gave an answer")
    return Proof(
        parents=tuple(witness(asking, signature, item, driver.commit(item).subject) for item in parents),
        culprit=witness(asking, signature, commit, driver.commit(commit).subject),
        revert=revert,  # type: ignore[arg-type]
        reverted=text,
        suspicious=tuple(suspicious),
        missing=tuple(missing),
    )


def _suspicions(asking: Asking, driver: GitDriver, commit: str, parents: tuple[str, ...]) -> list[str]:
    """Why the commit can hardly be it: its kernel is its parent's, or the build never read a file that it touches."""
    if not parents or asking.sought.builds:
        return []
    own, before = asking.made(commit), asking.made(parents[0])
    paths = driver.paths(parents[0], commit)
    found = []
    if own.kernel and own.kernel == before.kernel:
        where = "; it changes the tests, not the kernel" if any(path.startswith("tools/") for path in paths) else ""
        found.append(f"the kernel of {asking.name(commit)} is the same binary as its parent's{where}")
    elif own.keys and not _built(own.keys, paths):
        found.append(f"the build reads none of the files that it touches ({', '.join(paths[:3])})")
    return found


def _built(keys: dict[str, str], paths: list[str]) -> bool:
    """Whether any build has read one of these files; True where its records are gone."""
    changes = [("M", path) for path in paths if not _NO_CODE.match(path)]
    if not changes:
        return False
    if relevant(changes) is None:
        return True  # a Makefile, a Kconfig file, or too many to tell
    store = BuildStore()
    objects = [store.folder(key) / "objects" for key in keys.values()]
    known = [folder for folder in objects if folder.is_dir()]
    return not known or any(count_stale(folder, changes, ()) for folder in known)


class Reverting:
    """Asks the bad end without the culprit's change."""

    def __init__(
        self, driver: GitDriver, oracle: FactSource, state: State, bad: BisectStep, folder: Path, signature: Signature,
        series: str = "", builds: bool = False,
    ) -> None:  # fmt: skip
        self._driver, self._oracle, self._state = driver, oracle, state
        self._bad, self._folder, self._signature, self._series = bad, folder, signature, series
        self._builds = builds

    def ask(self, commit: str, rates: Rates, error: float) -> tuple[str, str]:
        """(word of `Proof.revert`, a line about it)."""
        if commit == self._bad.commit:
            return "not needed", "the culprit is the bad end itself: without it the bad end is its parent"
        parents = self._driver.parents(commit)
        if not parents:
            return "does not apply", "the culprit has no parent"
        if self._series:
            return "not asked", "patches of a series are not reverted one by one"
        patch = self._folder / REVERT
        subject = self._driver.commit(commit).subject
        write_atomic(patch, _mail(subject, commit, self._driver.diff(commit, parents[0])))
        step = BisectStep(f"revert-{commit[:16]}", f"revert-{commit[:8]}", self._bad.source, str(patch))
        try:
            return self._boot(step, rates, error)
        except UserError as error_:
            return "does not apply", f"the revert cannot be read as a patch: {error_}"
        except RevertConflictError as conflict:
            return "does not apply", f"the revert does not apply to the bad end: {conflict}"

    def _boot(self, step: BisectStep, rates: Rates, error: float) -> tuple[str, str]:
        made = self._state.made(step.commit) or self._oracle.build(step)
        self._state.add_made(step.commit, made)
        if made.failure.startswith(NOT_APPLIED):
            raise RevertConflictError(made.failure.removeprefix(NOT_APPLIED))
        if self._builds:
            words = "still does not build" if made.failure else "builds"
            return "does not mend" if made.failure else "mends", f"the bad end without it {words}"
        if made.failure:
            return "could not say", f"the bad end without it does not build: {made.failure}"
        while True:
            boots = self._state.boots(made.binary)
            answers = [self._signature.answer(boot) for boot in boots]
            failures = answers.count(BootAnswer.SHOWS)
            seen = BootTally(failures + answers.count(BootAnswer.ABSENT), failures)
            call = rates.call(seen, error)
            if call is SequentialDecision.GOOD:
                return (
                    "mends",
                    f"the bad end without it is free of the fault in {seen.boots} of {counted(seen.boots, 'boot')}",
                )
            if call is SequentialDecision.BAD:
                text = (
                    f"the bad end without it still shows the fault in {seen.failures} of {counted(seen.boots, 'boot')}"
                )
                return "does not mend", text
            if len(boots) - seen.boots >= 3 or len(boots) > 600:
                return "could not say", "the bad end without it gives no answer"
            self._state.add_boots(made.binary, self._oracle.boot(step, len(boots), 1))


class RevertConflictError(Exception):
    """The revert does not apply."""


def _mail(subject: str, commit: str, diff: bytes) -> bytes:
    """The reverse of a commit as a mail that `git am` takes."""
    head = (
        f"From {commit} Mon Sep 17 00:00:00 2001\nFrom: kernel-patch-rig <kernel-patch-rig@localhost>\n"
        f"Date: Sat, 1 Jan 2000 00:00:00 +0000\nSubject: [PATCH] Revert \"{subject}\"\n\n"
        f"This reverts commit {commit}.\n---\n\n"
    )  # fmt: skip
    return head.encode() + diff + b"--\n\n"
