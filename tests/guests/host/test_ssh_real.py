# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests on another machine, which is this one behind a real SSH server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ci.model.verdicts import RunVerdict
from guests.crash.outcome import End, Outcome
from guests.host.open import open_host
from guests.qemu.devices import Devices
from guests.run.accel import prove_accel
from guests.run.run import run_guest
from tests.command import results, rig
from tests.guests.real import BuiltKernel, poke, real_request
from tests.guests.sshd import Sshd, sshd
from util.errors import UserError
from util.events import silent
from util.paths import ROOT
from util.stop import Stop

pytestmark = pytest.mark.real
RIG = (
    "import sys\nfrom pathlib import Path\nfrom util.events import silent\nfrom util.stop import Stop\n"
    "from guests.host.open import open_host\nfrom guests.run.run import run_guest\nfrom tests.guests.real import *\n"
    "from guests.qemu.devices import Devices\n"
    "with open_host(sys.argv[3]) as host:\n"
    "    steps = [poke('spin', 'spin', timeout=60)]\n"
    "    request = real_request(Path(sys.argv[1]), 'x86_64', Path(sys.argv[2]), steps, host=host,\n"
    "                           devices=Devices(1, 1))\n"
    "    run_guest(request, silent, Stop())\n"
)
"""A rig of its own, with one guest that does not end."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with sshd(tmp_path / "ssh") as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        yield running


def test_a_guest_over_ssh(built_kernel: BuiltKernel, tmp_path: Path, server: Sshd) -> None:
    """The same as here, panic and all; nothing is sent twice; no QEMU and no file of its disk stays, even if the rig is
    killed; no stranger."""
    kernel = built_kernel("x86_64")
    with open_host(server.url) as host:
        look = tuple(f"/sys/bus/virtio/devices/virtio{number}/device" for number in range(5))
        steps = [replace(poke("one", "hello"), collect=look), poke("crash", "sysrq", "c")]
        devices = Devices(disks=1, network_cards=2)
        request = real_request(kernel, "x86_64", tmp_path / "there", steps, host=host, devices=devices)
        there = run_guest(request, silent, Stop())
        assert (
            prove_accel(
                "tcg", request.arch, "", request.kernel, Path(str(request.initrd[0])), silent, Stop(), "plain", host
            ).boot_seconds
            > 0
        )
    here = run_guest(real_request(kernel, "x86_64", tmp_path / "here", steps, devices=devices), silent, Stop())
    assert _told(there) == _told(here)
    assert sorted(there.steps[0].files) == sorted(here.steps[0].files) and len(here.steps[0].files) == 5
    assert there.end is End.PANIC
    assert _gone(server)
    sent = {path: path.stat().st_ino for path in (server.there / "kernel-patch-rig" / "files").iterdir()}
    assert request.kernel.stat().st_size in {path.stat().st_size for path in sent}

    command = [sys.executable, "-c", RIG, str(kernel), str(tmp_path / "killed"), server.url]
    victim = subprocess.Popen(command, cwd=ROOT)
    log = tmp_path / "killed" / "console.log"
    assert _until(lambda: log.exists() and b"rig: step 0" in log.read_bytes(), 30)
    assert len(server.qemus()) == 1
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert _gone(server)
    assert _until(lambda: list((server.there / "kernel-patch-rig" / "guests").iterdir()) == [], 10)
    assert {path: path.stat().st_ino for path in sent} == sent

    server.forget()
    with pytest.raises(UserError, match=r"its key is not in .*known_hosts"), open_host(server.url):
        pass


def _told(outcome: Outcome) -> tuple[object, ...]:
    steps = [(step.step.name, step.how, step.value, step.stdout, step.stderr) for step in outcome.steps]
    faults = [(fault.kind, fault.title, fault.step, fault.trace) for fault in outcome.faults]
    return outcome.end, outcome.message, steps, faults, outcome.accel, outcome.qemu_version


def _until(what: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not what() and time.monotonic() < end:
        time.sleep(0.05)
    return what()


def _gone(server: Sshd) -> bool:
    return _until(lambda: server.qemus() == [], 10)


def test_one_round_of_wall_time_over_ssh(tmp_path: Path, server: Sshd) -> None:
    done = rig(
        "wall", "--host", server.url, "--arch", "x86_64", "--abi", "x86_64", "--rounds", "1", "--accel", "tcg",
        "--out", str(tmp_path / "out"), environment=server.environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "THESE TIMES SAY NOTHING ABOUT HARDWARE" in done.stdout
    run = results(tmp_path / "out")
    assert (run.verdict, run.host.guests) == (RunVerdict.PASS, server.url)
    (wall,) = run.wall
    assert (wall.accel, wall.host.name, len(wall.first), wall.problems) == ("tcg", server.url, 1, ())
    rows = {row.figure: row for row in wall.rows}
    plain, end = rows["call/none/getppid/unfiltered"], rows["call/list/end/interpreted"]
    # 330 comparisons cost something on any machine, and the cache saves them.
    assert 20 < plain.base[0] < end.base[0]
    assert end.ratio < 1
    assert _gone(server)
