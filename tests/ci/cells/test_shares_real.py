# SPDX-License-Identifier: GPL-2.0-or-later
"""A real target whose programs are shared out over real guests."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ci.cells.guest.guest_cell import GuestCell, run_guest_cell
from ci.model.stages import CellResult
from configs.loader import load_arch
from configs.result import Cell
from guests.run.accel import Accelerator
from initramfs.base import base_image
from kernels.build.build import Build
from testcases.registry import find_suite
from tests.testcases.test_real import prepare
from util.children.jobserver import Jobserver
from util.events import silent
from util.stop import Stop

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]
NAME = "selftests/proc"


def test_the_tests_come_to_the_same_as_in_one_guest(
    built_kernel: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, arch = built_kernel("x86_64"), load_arch("x86_64")
    payload = prepare("debian:linux-source-5.10", "x86_64", NAME)
    whole = GuestCell(
        blank=CellResult(cell=Cell("base", "x86_64", "x86_64", "plain", NAME), machine=arch.default_machine),
        arch=arch,
        build=Build("0123", build, True, "", (), (), 1.0, False),
        payload=payload,
        base_image=base_image(arch, silent, Stop(), shell=payload.shell),
        memory_mb=512,
        accel=Accelerator("tcg", 4.0),
        folder=tmp_path / "whole",
        fresh=False,
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    results = [run(cell) for cell in (whole, replace(whole, guests=3, folder=tmp_path / "shared"))]
    one, three = ([(test.name, test.status) for test in result.tests] for result in results)
    assert one == three
    assert len(one) == 19
    folders = sorted(path.name for path in (tmp_path / "shared/console").iterdir())
    assert [folder.rpartition("-proc")[2] for folder in folders] == ["", "-1-of-3", "-2-of-3", "-3-of-3"]
    console = (tmp_path / "shared" / results[1].console).read_text()
    assert console.count("Linux version ") == 3
    assert set(results[0].took) == set(results[1].took)


def run(cell: GuestCell) -> CellResult:
    with Jobserver(2) as jobs:
        context = SimpleNamespace(jobserver=jobs, emit=silent, stop=Stop())
        result = run_guest_cell(cell, find_suite(NAME)[0], context)  # type: ignore[arg-type]
    assert result
    return result
