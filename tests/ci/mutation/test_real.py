# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of our own series, in a real kernel and real guests."""

import json
from pathlib import Path

import pytest

from tests.command import rig
from util.paths import ROOT

SHOWN = "seq_puts(m, name);"
"""The line that begins each line of the series' file in /proc."""


@pytest.mark.real
def test_a_fault_in_what_a_file_of_proc_shows_is_noticed(tmp_path: Path) -> None:
    patches = (ROOT / "kernels/series/seccomp-cache").glob("*.patch")
    assert any(f"+\t\t{SHOWN}" in path.read_text(encoding="utf-8") for path in patches)
    words = ("--arch", "x86_64", "--abi", "x86_64", "--suite", "seccomp/proc", "--only", "kernel/seccomp.c:2164-2165")
    finished = rig("mutate", *words, "--out", str(tmp_path), "--fresh", "--quiet")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = json.loads((tmp_path / "mutation.json").read_text(encoding="utf-8"))["mutants"]
    assert {item["fate"] for item in found} == {"killed"}
    assert f"- {SHOWN}" in {line for item in found for line in item["diff"]}
    assert all(item["killer"].startswith("x86_64 seccomp/proc ") for item in found)
