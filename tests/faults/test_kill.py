# SPDX-License-Identifier: GPL-2.0-or-later
"""The rig killed at random moments of a real check: nothing outlives it, and the next run is right."""

import random
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from tests.command import USER, own_cache, results, rig
from util.paths import ROOT

CHECK = ("check", "--series", "none", "--arch", "x86_64", "--abi", "i386", "--suite", "boot", "--fresh", "--quiet")


def marked(mark: str) -> list[str]:
    """The command lines of all processes that inherited the mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def end_after(seconds: float, arguments: tuple[str, ...], number: signal.Signals, extra: dict[str, str]) -> str:
    """Starts the rig, sends it the signal after so long, and returns the mark that its processes carried."""
    mark = f"rig-test-{uuid.uuid4()}"
    with subprocess.Popen(
        [str(ROOT / "rig.py"), *arguments], env=USER | extra | {"RIG_TEST_MARK": mark},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        time.sleep(seconds)
        process.send_signal(number)
        process.wait(60)
    return mark


def all_gone(mark: str) -> bool:
    """True once no process carries the mark, within some seconds: the kernel ends a namespace in its own time."""
    for _ in range(100):
        if not marked(mark):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("built_kernel")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_killed_check_leaves_no_process_and_the_next_is_right(
    tmp_path: Path, number: signal.Signals, chance: random.Random
) -> None:
    before = set(Path("/dev/shm").iterdir())
    for attempt in range(3):
        mark = end_after(chance.uniform(0.3, 6), (*CHECK, "--out", str(tmp_path / str(attempt))), number, {})
        assert all_gone(mark), marked(mark)
    finished = rig(*CHECK, "--out", str(tmp_path / "whole"))
    assert finished.returncode == 0, finished.stderr
    assert results(tmp_path / "whole").verdict == "pass"
    assert set(Path("/dev/shm").iterdir()) <= before
    assert not list((tmp_path / "whole").rglob("*.part"))


@pytest.mark.real
@pytest.mark.timeout(900)
def test_a_killed_first_run_is_taken_up_by_the_next(tmp_path: Path, chance: random.Random) -> None:
    """From an empty cache: killed while it downloads and imports, then let go to the end of the import."""
    environment = own_cache(tmp_path)
    listing = ("check", "--series", "none", "--arch", "x86_64", "--suite", "boot", "--dry-run", "--quiet")
    for _ in range(3):
        mark = end_after(chance.uniform(0.3, 15), listing, signal.SIGKILL, environment)
        assert all_gone(mark), marked(mark)
    finished = rig(*listing, environment=environment)
    assert finished.returncode == 0, finished.stderr
    assert " worktree add " in finished.stdout
    assert list((tmp_path / "cache").rglob("tmp_pack_*")) == []
