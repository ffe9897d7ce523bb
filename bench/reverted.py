# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixes that a distribution carries for 6.12 and that came with a selftest, taken out again: the test that came with
the fix turns red, and nothing else of its programs does. `tests/series/reverted` says which fix, and which test.

A fix that came between two versions of Debian's package is taken out by the older version's files, which apt fetches;
what else changed in these files is taken out as well. An older fix is taken out by a patch of the project's own.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from pydantic import model_validator

from bench.subsystems import SubsystemCase, run_case
from configs.loader import load
from configs.model import Strict
from kernels.source.resolve import resolve_source
from kernels.source.store import Store, changed_tree
from util.errors import MachineError
from util.events import silent
from util.paths import ROOT
from util.stop import Stop

FOLDER = ROOT / "tests" / "series" / "reverted"
HEADER = "From: The Rig <rig@example.org>\nSubject: [PATCH] {name}: what {paths} was in {before}\n\n---\n"


class RevertedCase(SubsystemCase):
    """`tests`, a glob, is what of the suite runs. Either `paths`, the files of the fix, or `fix`, its commit's subject,
    for a fix that `before` has already: the folder of the case's name holds the patch that takes it out."""

    tests: str
    paths: tuple[str, ...] = ()
    fix: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.paths) == bool(self.fix):
            raise ValueError("a case has either paths or fix")
        return self


class RevertedCases(Strict):
    """The whole file: `before` and `version` are versions of the Debian package."""

    package: str
    before: str
    version: str
    cases: dict[str, RevertedCase]

    def spec(self, version: str) -> str:
        return f"debian:{self.package}={version}"


def reverted_cases() -> RevertedCases:
    return load(FOLDER / "cases.yaml", RevertedCases)


def reverted(folder: Path, names: Sequence[str], arch: str) -> Iterator[tuple[bool, str]]:
    """Each case whose name fits one of the globs. All share a kernel configuration, and so their objects.

    Raises MachineError where the mirror no longer has one of the versions.
    """
    every = reverted_cases()
    for name, case in every.cases.items():
        if any(fnmatchcase(name, glob) for glob in names):
            series = _from_packages(every, name, case, folder) if case.paths else FOLDER / name
            more = ("--source", every.spec(every.version), "--series", str(series), "--test", case.tests)
            yield run_case(f"reverted {name}", case, FOLDER / "profile.yaml", arch, folder / name, more)


def _from_packages(every: RevertedCases, name: str, case: RevertedCase, folder: Path) -> Path:
    """The series that makes the files of the case what they were in the older version."""
    store, specs = Store(), (every.spec(every.before), every.spec(every.version))
    before, after = (resolve_source(spec, store, silent, Stop()).tree for spec in specs)
    series = folder / f"{name}.mbox"
    series.parent.mkdir(parents=True, exist_ok=True)
    header = HEADER.format(name=name, paths=", ".join(case.paths), before=every.before)
    series.write_bytes(header.encode() + _as_before(store, case, before, after) + b"-- \nrig\n")
    return series


def _as_before(store: Store, case: RevertedCase, before: str, after: str) -> bytes:
    """The diff that takes the fix out."""
    old = {path: store.blob(before, path) for path in case.paths}
    if None in old.values():
        raise MachineError(f"{', '.join(path for path, data in old.items() if data is None)}: not in the older version")
    texts = {path: data.decode("utf-8", "surrogateescape") for path, data in old.items() if data is not None}
    _commit, tree = changed_tree(store, after, texts)
    return store.git("diff", "--full-index", after, tree).encode("utf-8", "surrogateescape")
