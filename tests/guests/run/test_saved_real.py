# SPDX-License-Identifier: GPL-2.0-or-later
"""Real kernels, saved behind init: a copy is a guest like one that booted, and like no other copy."""

import time
from pathlib import Path

import pytest

from guests.crash.outcome import End, Outcome
from guests.run.request import SavedGuest
from guests.run.run import run_guest
from guests.run.saved import save_guest, waiting
from initramfs.cpio import Entry, directory, file, symlink
from initramfs.job import Step
from tests.guests.real import BuiltKernel, poke, real_request
from util.events import silent
from util.stop import Stop

pytestmark = pytest.mark.real
MACHINES = (("x86_64", "microvm"), ("x86_64", "q35"), ("aarch64", "virt"))
STEPS = (poke("drawn", "draw"), poke("time", "clock"), poke("failing", "kmsg"), Step("absent", ("/no/such",)))
FILES: tuple[Entry, ...] = (
    file("opt/deep/file", b"text", 0o4751), symlink("opt/link", "deep/file"), directory("opt/own", 0o1777),
    file("etc/hosts", b"another\n"),
)  # fmt: skip


@pytest.mark.parametrize(("arch", "machine"), MACHINES)
def test_a_copy_does_what_a_booted_guest_does(
    built_kernel: BuiltKernel, tmp_path: Path, arch: str, machine: str
) -> None:
    def guest(name: str, saved: SavedGuest | None = None) -> Outcome:
        kernel, steps = built_kernel(arch), (*STEPS, Step("files", ("/poke",), collect=("/opt/link", "/etc/hosts")))
        request = real_request(kernel, arch, tmp_path / name, steps, machine, files=FILES, saved=saved)
        if name == "saved":
            save_guest(waiting(request, Stop()), SavedGuest(tmp_path), Stop())
        before = time.time()
        outcome = run_guest(request, silent, Stop())
        if saved:
            # It was told the time by the host, to which its answer comes back later.
            assert before < float(outcome.steps[1].stdout.split()[-1]) < time.time()
        return outcome

    booted = guest("saved")  # and what is saved is another
    copies = [guest(name, SavedGuest(tmp_path)) for name in ("one", "two")]
    for copy in copies:
        assert (copy.end, copy.restored, copy.faults, copy.notes) == (End.FINISHED, True, (), booted.notes)
        assert [(step.how, step.value, step.files) for step in copy.steps] == [
            (step.how, step.value, step.files) for step in booted.steps
        ]
    drawn = [outcome.steps[0].stdout.splitlines()[1:] for outcome in (booted, *copies)]
    for lines in zip(*drawn, strict=True):
        assert len(set(lines)) == 3, lines
