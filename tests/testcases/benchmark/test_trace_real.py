# SPDX-License-Identifier: GPL-2.0-or-later
"""Real guests, traced: the instructions of all functions together are those that the guest's own clock counted."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from configs.loader import load_arch
from configs.model import SuiteChoice
from guests.crash.symbols import ELSEWHERE, Functions, read_symbols
from guests.qemu.machine import kernel_of, machine_of
from guests.run.accel import UNKNOWN_SCALE
from guests.run.qemu import qemu_version
from guests.run.run import End, GuestRequest, run_guest
from guests.tracer.trace import FILE, plugin_option, read_trace
from initramfs.base import base_image, job_image
from initramfs.job import GuestJob
from kernels.source.store import Store
from testcases.benchmark.suite import SUITE
from testcases.benchmark.windows import breakdowns
from testcases.suite import SuiteContext
from util.events import silent
from util.stop import Stop

pytestmark = pytest.mark.real
NONE = "call/none/getppid/unfiltered"
LIST = "call/list/middle/interpreted"
COMPILED = "call/list/middle/compiled"
FIGURES = (NONE, LIST, COMPILED)


@pytest.mark.parametrize("abi", ["x86_64", "x32", "i386", "aarch64", "arm"])
def test_the_functions_of_a_call_add_up_to_its_figure(
    built_kernel: Callable[[str], Path], tmp_path: Path, abi: str
) -> None:
    arch = load_arch("aarch64" if abi in ("aarch64", "arm") else "x86_64")
    build = built_kernel(arch.name)
    choice, nowhere = SuiteChoice(name="benchmark/seccomp"), Path("/nonexistent")
    context = SuiteContext(
        choice, nowhere, "", cast(Store, None), arch, abi, arch.abis[abi], silent, Stop(), figures=FIGURES
    )  # fmt: skip
    payload = SUITE.prepare(context)
    job = GuestJob("0123456789abcdef", payload.steps, time_scale=UNKNOWN_SCALE)
    request = GuestRequest(
        arch=arch,
        machine="",
        kernel=kernel_of(machine_of(arch, ""), build),
        vmlinux=build / "vmlinux",
        initrd=(base_image(arch, silent, Stop()), job_image(job, payload.files)),
        job=job,
        accel="tcg",
        folder=tmp_path,
        counted=True,
        plugin=plugin_option(tmp_path, arch, qemu_version(arch.qemu), Stop()),
    )
    outcome = run_guest(request, silent, Stop())
    assert outcome.end is End.FINISHED, outcome.message
    tests = SUITE.read(payload, outcome)
    values = {f"{test.name}/{figure.name}": figure.value for test in tests for figure in test.figures}
    symbols = read_symbols(build / "vmlinux", arch)
    assert symbols
    found = breakdowns(read_trace(tmp_path / FILE), FIGURES, values, Functions(symbols).at)
    assert {name: sum(spent.values()) for name, spent in found.items()} == {name: values[name] for name in FIGURES}
    assert any("getppid" in name for name in found[NONE])
    assert "___bpf_prog_run" in found[LIST]
    assert found[LIST]["___bpf_prog_run"] > found[NONE].get("___bpf_prog_run", 0) + 500
    assert ELSEWHERE in found[COMPILED]
    assert ELSEWHERE not in found[LIST]
