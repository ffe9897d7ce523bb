# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixes that a distribution carries for 6.12 and that came with a selftest, taken out again: the test that came with
the fix turns red, and nothing else of its programs does. `tests/series/reverted` says which files, and which test.

Debian's two versions are fetched by apt; no line of the kernel is kept in the project. What else changed in these
files between the two versions is taken out as well.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

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
    """`paths` are the files of the fix; `tests`, a glob, is what of the suite runs."""

    paths: tuple[str, ...]
    tests: str


class RevertedCases(Strict):
    """The whole file: `before` and `version` are versions of the Debian package."""

    package: str
    before: str
    version: str
    cases: dict[str, RevertedCase]


def reverted_cases() -> RevertedCases:
    return load(FOLDER / "cases.yaml", RevertedCases)


def reverted(folder: Path, names: Sequence[str], arch: str) -> Iterator[tuple[bool, str]]:
    """Each case whose name fits one of the globs. All share a kernel configuration, and so their objects.

    Raises MachineError where the mirror no longer has one of the versions.
    """
    every, store = reverted_cases(), Store()
    specs = [f"debian:{every.package}={version}" for version in (every.before, every.version)]
    before, after = (resolve_source(spec, store, silent, Stop()).tree for spec in specs)
    for name, case in every.cases.items():
        if any(fnmatchcase(name, glob) for glob in names):
            series = folder / f"{name}.mbox"
            series.parent.mkdir(parents=True, exist_ok=True)
            header = HEADER.format(name=name, paths=", ".join(case.paths), before=every.before)
            series.write_bytes(header.encode() + _as_before(store, case, before, after) + b"-- \nrig\n")
            more = ("--source", specs[1], "--series", str(series), "--test", case.tests)
            yield run_case(f"reverted {name}", case, FOLDER / "profile.yaml", arch, folder / name, more)


def _as_before(store: Store, case: RevertedCase, before: str, after: str) -> bytes:
    """The diff that takes the fix out."""
    old = {path: store.blob(before, path) for path in case.paths}
    if None in old.values():
        raise MachineError(f"{', '.join(path for path, data in old.items() if data is None)}: not in the older version")
    texts = {path: data.decode("utf-8", "surrogateescape") for path, data in old.items() if data is not None}
    _commit, tree = changed_tree(store, after, texts)
    return store.git("diff", "--full-index", after, tree).encode("utf-8", "surrogateescape")
