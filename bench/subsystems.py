# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults planted in subsystems of 6.12 by small series: each is found by its subsystem's own selftests, and nothing
else turns red. `tests/series/subsystems` holds the series and says which target must find which."""

import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ci.model.results import Run
from ci.model.verdicts import Effect, TestVerdict
from ci.report.output import RESULTS
from configs.loader import load, load_arch
from configs.model import Strict
from util.paths import ROOT

FOLDER = ROOT / "tests" / "series" / "subsystems"
FAIL = 1
FOUND = "regression of"
_TOLD = 3
"""Tests of a row that its line names."""


class SubsystemCase(Strict):
    """One series: the suite that must find its fault, and globs of the tests that may turn red."""

    suite: str
    red: tuple[str, ...]


class SubsystemCases(Strict):
    """The whole file."""

    cases: dict[str, SubsystemCase]


def subsystem_cases() -> dict[str, SubsystemCase]:
    """By the name of the folder of the series."""
    return load(FOLDER / "cases.yaml", SubsystemCases).cases


def subsystems(folder: Path, names: Sequence[str], arch: str) -> Iterator[tuple[bool, str]]:
    """Each case whose name fits one of the globs. All share a kernel configuration, and so their objects."""
    for name, case in subsystem_cases().items():
        if any(fnmatchcase(name, glob) for glob in names):
            series = ("--series", str(FOLDER / name))
            yield run_case(f"subsystems {name}", case, FOLDER / "profile.yaml", arch, folder / name, series)


def run_case(
    name: str, case: SubsystemCase, profile: Path, arch: str, out: Path, arguments: tuple[str, ...]
) -> tuple[bool, str]:
    """Whether a check of the case's suite, with these `arguments`, finds what it must, and the row of the table."""
    native = load_arch(arch)
    abi = next(name for name, abi in native.abis.items() if abi == native.native_abi)
    command = [str(ROOT / "rig.py"), "check", "--profile", str(profile), "--arch", arch, "--abi", abi, *arguments]
    command += ["--cells", f"*/{case.suite}", "--out", str(out), "--quiet"]
    start = time.monotonic()
    status = subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, check=False).returncode
    seconds = time.monotonic() - start
    path = out / RESULTS
    said = told(case, Run.model_validate_json(path.read_text(encoding="utf-8"))) if path.is_file() else "no results"
    if status != FAIL:
        said = f"exit {status} and not {FAIL}; {said}"
    return said.startswith(FOUND), f"{seconds:6.0f} s  {name} ({arch}, {case.suite}): {said}"


def told(case: SubsystemCase, run: Run) -> str:
    """FOUND and which tests, where these alone turned red; else what does not come out as it must."""
    red = [item for item in run.comparisons if item.effect is not Effect.NONE]
    fits = [item for item in red if item.cell.suite == case.suite and any(fnmatchcase(item.test, g) for g in case.red)]
    others = [f"{item.cell.suite} {item.test} {item.verdict}" for item in red if item not in fits]
    if others:
        return f"also {_listed(others)}"
    found = [item.test for item in fits if item.verdict is TestVerdict.REGRESSION]
    return f"{FOUND} {_listed(found)}" if found else "no regression"


def _listed(texts: Iterable[str]) -> str:
    every = list(texts)
    return ", ".join(every[:_TOLD]) + (f" and {len(every) - _TOLD} more" if len(every) > _TOLD else "")
