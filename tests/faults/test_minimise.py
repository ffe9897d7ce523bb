# SPDX-License-Identifier: GPL-2.0-or-later
"""A failing stack made small on a real kernel that is wrong, and tried again on both variants."""

import shlex
import subprocess
from pathlib import Path

import pytest

from testcases.seccomp.filters.reproducer import PROGRAM, load
from tests.command import rig
from tests.faults.variants import FOLDER, compose

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
ALLOWS_MUCH = """
ld [4]
jeq #0xc000003e, l2, l9
ld [0]
jge #0x40000000, l9, l4
jeq #39, l10, l5
jgt #41, l6, l10
jeq #57, l10, l7
jeq #60, l10, l8
ja l10
ret #0x50026
ret #0x7fff0000
"""
REFUSES_GETPPID = "ld [0]\njeq #5, l3, l2\njeq #110, l3, l4\nret #0x50bb8\nret #0x7fff0000\n"


def lines_of(printed: str, side: str) -> list[str]:
    """What a replay printed of one variant."""
    _before, _mark, rest = printed.partition(f"\n{side}, x86_64:\n")
    return rest.partition("\n\n")[0].splitlines()


def test_a_stack_gets_small_and_its_replay_fails_on_one_side_alone(tmp_path: Path) -> None:
    series = compose(FOLDER / "memo-outlives-attach", tmp_path / "series")
    files = [tmp_path / "one.asm", tmp_path / "two.asm", tmp_path / "three.asm"]
    for path, text in zip(files, (ALLOWS_MUCH, REFUSES_GETPPID, ALLOWS_MUCH), strict=True):
        path.write_text(text)
    command = ("filter", "replay", *map(str, files), "--abi", "x86_64", "--series", str(series))
    done = rig(*command, "--minimise")
    told = next(line for line in done.stdout.splitlines() if "made small on this kernel" in line)
    folder = Path(told.rpartition(": ")[2])
    case, stack = load(folder)
    assert (case.check, case.between, len(stack), sum(map(len, stack))) == ("behaviour", True, 2, 2), done.stdout
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "it", folder / PROGRAM], check=True)
    again = rig(*shlex.split(case.replay)[1:])
    assert again.returncode == 1, again.stderr
    name = f"replay/{folder.name}.behaviour"
    assert any(line.startswith(f"  PASS {name}") for line in lines_of(again.stdout, "base"))
    assert any(line.startswith(f"  FAIL {name}") for line in lines_of(again.stdout, "patched"))
