# SPDX-License-Identifier: GPL-2.0-or-later
"""The faulty variants of our own series: whole, small, and judged for what they are."""

import subprocess
from pathlib import Path

import pytest
from unidiff.patch import PatchSet

from ci.model.verdicts import RunVerdict
from ci.plan.wishes import Wishes, make_plan
from ci.run.check import check
from configs.loader import load_profile
from kernels.patches.series import read_series
from kernels.source.store import Store
from tests.command import USER
from tests.faults.kill import judge
from tests.faults.variants import COSTS, FOLDER, SERIES, compose, variants
from util.events import silent
from util.stop import Stop

SAMPLE = ("emulator-jset-inverted", "emulator-allow-with-data", "lookup-ignores-arch", "lookup-without-nospec")
"""One for each way of being seen, and one that must not be; `python -m tests.faults.kill` judges all of them."""


def test_there_are_enough_of_both_kinds() -> None:
    effects = [variant.effect for variant in variants().values()]
    assert effects.count("visible") >= 24
    assert effects.count("equivalent") >= 3


def test_each_folder_has_its_entry_and_each_entry_its_folder() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(variants())


@pytest.mark.parametrize("name", variants())
def test_each_is_one_small_patch_of_c_files_that_says_what_it_is(name: str) -> None:
    (path,) = (FOLDER / name).iterdir()
    text = path.read_text(encoding="utf-8")
    assert "This is a test fixture, " in text
    changed = PatchSet(text)
    assert all(file.path.endswith(".c") for file in changed)
    assert 0 < changed.added + changed.removed <= 30


def test_a_variant_is_our_series_with_one_patch_more(tmp_path: Path) -> None:
    store = Store(tmp_path / "git")
    series = read_series(str(compose(FOLDER / "lookup-ignores-arch", tmp_path / "series")), store, None, Stop())
    ours = read_series(str(SERIES), store, None, Stop())
    assert [patch.patch_id for patch in series.patches[:-1]] == [patch.patch_id for patch in ours.patches]
    assert series.patches[-1].subject == "seccomp: look up every call in the native bitmap"
    assert not series.warnings


@pytest.mark.real
def test_each_applies_to_our_series(tmp_path: Path, built_kernel_commit: tuple[Path, str]) -> None:
    """Whoever changes a line of ours learns here which faults stood on it."""
    store, base = built_kernel_commit

    def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["git", "-C", str(tmp_path), *arguments], capture_output=True, text=True, check=False)

    assert git("clone", "-q", "--shared", "--no-checkout", str(store), ".").returncode == 0
    assert git("read-tree", base).returncode == 0
    assert git("apply", "--cached", *map(str, sorted(SERIES.glob("000[1-9]-*.patch")))).returncode == 0
    faults = [*FOLDER.glob("*/*.patch"), *COSTS.glob("*/*.patch")]
    assert len(faults) > len(variants())
    wrong = {
        path: done.stderr for path in faults if (done := git("apply", "--cached", "--check", str(path))).returncode
    }
    assert wrong == {}


@pytest.mark.real
@pytest.mark.timeout(900)
def test_a_race_of_a_few_instructions_shows_only_on_processors_that_run_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "memo-without-lock"
    found = judge(name, tmp_path / "parallel")
    assert found.right, "the suite asks for parallel processors, and sees it"
    assert [killer.partition(":")[0] for killer in found.killers] == ["threads.neighbour"]

    monkeypatch.setenv("XDG_CACHE_HOME", USER.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
    monkeypatch.setattr("testcases.seccomp.agent.programs.PARALLEL", ())
    series = str(compose(FOLDER / name, tmp_path / "series"))
    wishes = Wishes(series=series, archs=("x86_64",), abis=("x86_64",), suites=("seccomp/threads",), rerun=0)
    plan = make_plan(load_profile("seccomp-cache"), wishes, accel="tcg", jobs=2, fresh=True)
    run = check(plan, tmp_path / "in-turn", (), silent, Stop())
    assert run.verdict is RunVerdict.PASS, run.summary


@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SAMPLE)
def test_a_variant_comes_to_what_it_should(tmp_path: Path, name: str) -> None:
    found = judge(name, tmp_path)
    assert found.right, found.killers
