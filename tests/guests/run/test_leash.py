# SPDX-License-Identifier: GPL-2.0-or-later
"""No QEMU outlives the rig, however the rig ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from util.children.program import LEASH, leashed
from util.paths import ROOT

PATIENCE = 30.0


def _until(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_guest_dies_with_the_rig(tmp_path: Path, number: signal.Signals) -> None:
    """The fake ignores SIGHUP and SIGTERM, so that only the leash can end it."""
    rig = subprocess.Popen(
        [sys.executable, "-m", "tests.guests.rig_that_dies", str(tmp_path), "ignores_signals"], cwd=ROOT
    )
    log = tmp_path / "guest" / "console.log"
    try:
        assert _until(lambda: log.exists() and b"pid " in log.read_bytes() and log.read_bytes().endswith(b"\n"))
        guest = int(log.read_bytes().rpartition(b"pid ")[2])
        assert not _gone(guest)
    finally:
        rig.send_signal(number)
        rig.wait(PATIENCE)
    assert _until(lambda: _gone(guest))


def test_a_guest_that_starts_after_the_rigs_death_has_nothing_to_boot() -> None:
    """The moment between fork and prctl: QEMU then opens the initrd of a process that is no more."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    fake = Path(__file__).parent.parent / "fake_qemu.py"
    command = [*LEASH, str(fake), "-name", "silent", "-initrd", f"/proc/{dead.pid}/fd/3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode != 0
    assert f"/proc/{dead.pid}/fd/3" in done.stderr


def test_a_child_that_starts_after_the_rigs_death_does_nothing(tmp_path: Path) -> None:
    """The same moment for every other child: the leash cannot tell it of a death that came first."""
    code = "import json, sys\nfrom util.children.program import leashed\nprint(json.dumps(leashed(sys.argv[1:])))"
    mark = tmp_path / "a mark"
    dead = subprocess.run([sys.executable, "-c", code, "touch", str(mark)], cwd=ROOT, capture_output=True, check=True)
    done = subprocess.run(json.loads(dead.stdout), timeout=PATIENCE, check=False)
    assert done.returncode == 137
    assert not mark.exists()
    subprocess.run(leashed(["touch", str(mark)]), timeout=PATIENCE, check=True)
    assert mark.exists()


def test_the_leash_holds_a_program_that_knows_nothing_of_it() -> None:
    """setpriv's setting survives the exec, and follows the thread that forked."""
    command = [*LEASH, "sleep", "600"]
    code = f"import subprocess, time\nprint(subprocess.Popen({command!r}).pid, flush=True)\ntime.sleep(600)"
    rig = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert rig.stdout is not None
    sleeper = int(rig.stdout.readline())
    comm = Path(f"/proc/{sleeper}/comm")
    assert _until(lambda: comm.read_text().strip() == "sleep")
    os.kill(rig.pid, signal.SIGKILL)
    rig.wait()
    rig.stdout.close()
    assert _until(lambda: _gone(sleeper))
