# SPDX-License-Identifier: GPL-2.0-or-later
"""The fixes that are taken out again: the series that does it, and that the data fits together."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench import reverted as campaign
from bench.reverted import FOLDER, RevertedCase, reverted_cases
from configs.loader import load_profile
from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.resolve import Source
from kernels.source.store import Store
from tests.faketree import Events, make_tree, resolve
from util.errors import MachineError
from util.stop import Stop

CASE = RevertedCase(suite="selftests/futex", red=("requeue",), paths=("kernel/fork.c",), tests="requeue*")


@dataclass
class Ran:
    """`calls` are the arguments of each check."""

    store: Store
    fixed: Source
    calls: list[tuple[str, ...]]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The two versions of the package are two small trees."""
    store = Store(tmp_path / "cache")
    files = {"kernel/fork.c": "int fork;\nint mended;\n", "kernel/seccomp.c": "int other;\n"}
    before, fixed = (
        resolve(str(make_tree(tmp_path / name, files=more)), store) for name, more in (("old", {}), ("new", files))
    )
    made = Ran(store, fixed, [])

    def run_case(*words: tuple[str, ...]) -> tuple[bool, str]:
        made.calls.append(words[-1])
        return True, "a row"

    monkeypatch.setattr(campaign, "Store", lambda: store)
    monkeypatch.setattr(campaign, "resolve_source", lambda spec, *_rest: fixed if spec.endswith("=2") else before)
    monkeypatch.setattr(campaign, "run_case", run_case)
    return made


def cases_are(monkeypatch: pytest.MonkeyPatch, **cases: RevertedCase) -> None:
    every = campaign.RevertedCases(package="linux", before="1", version="2", cases=cases)
    monkeypatch.setattr(campaign, "reverted_cases", lambda: every)


def test_the_series_takes_out_these_files_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    cases_are(monkeypatch, fork=CASE, other=CASE)
    assert [good for good, _ in campaign.reverted(tmp_path / "out", ("f*",), "x86_64")] == [True]
    ((_source, spec, _series, path, _test, tests),) = ran.calls
    assert (spec, tests) == ("debian:linux=2", "requeue*")
    store, source = ran.store, ran.fixed
    applied = apply_series(store, source, read_series(path, store, None, Stop()), None, Events(), Stop())
    assert applied.failure is None
    assert store.changed_paths(source.tree, store.tree_of(applied.commit)) == [("M", "kernel/fork.c")]
    assert store.blob(applied.commit, "kernel/fork.c") == b"int fork;\n"


def test_a_file_that_the_older_version_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran) -> None:
    cases_are(monkeypatch, fork=CASE.model_copy(update={"paths": ("kernel/fork.c", "new.c")}))
    with pytest.raises(MachineError, match=r"^new\.c: not in the older version$"):
        list(campaign.reverted(tmp_path / "out", ("*",), "x86_64"))
    assert ran.calls == []


def test_an_older_fix_is_taken_out_by_its_own_patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran) -> None:
    cases_are(monkeypatch, old=CASE.model_copy(update={"paths": (), "fix": "fork: mend it"}))
    monkeypatch.setattr(campaign, "resolve_source", None)  # neither of the two packages is asked for
    assert [row for _, row in campaign.reverted(tmp_path / "out", ("*",), "x86_64")] == ["a row"]
    assert ran.calls == [("--source", "debian:linux=2", "--series", str(FOLDER / "old"), "--test", "requeue*")]


@pytest.mark.parametrize(("paths", "fix"), [((), ""), (("kernel/fork.c",), "fork: mend it")])
def test_a_case_is_of_one_kind(paths: tuple[str, ...], fix: str) -> None:
    with pytest.raises(ValidationError, match="a case has either paths or fix"):
        RevertedCase(suite="selftests/futex", red=("requeue",), tests="requeue*", paths=paths, fix=fix)


def test_every_folder_is_the_patch_of_an_older_fix() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == {name for name, case in reverted_cases().cases.items() if case.fix}
    assert all(len(list((FOLDER / name).glob("*.patch"))) == 1 for name in folders)


def test_every_suite_is_in_the_profile() -> None:
    profile = load_profile(str(FOLDER / "profile.yaml"))
    assert {case.suite for case in reverted_cases().cases.values()} == {choice.name for choice in profile.suites}
