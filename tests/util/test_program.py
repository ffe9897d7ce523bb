# SPDX-License-Identifier: GPL-2.0-or-later
"""Running programs: all of their input, all of their output, and none left behind."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

from util.children.program import run
from util.errors import MachineError
from util.paths import ROOT
from util.stop import Stop, Stopped


def wait_for_the_end_of(pid: str) -> None:
    """A killed process is gone as soon as the machine gets round to it."""
    state = Path(f"/proc/{pid.strip()}/stat")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        Stop().wait(0.05)
    pytest.fail("the program was left behind")


@pytest.mark.slow
def test_a_slow_reader_gets_all_of_its_input(chance: Random) -> None:
    data = chance.randbytes(1 << 20)
    done = run(["sh", "-c", "sleep 0.5; cat; echo words >&2; exit 3"], data=data, stop=Stop())
    assert (done.status, done.stdout == data, done.words) == (3, True, "words")


def test_without_input_there_is_an_end_of_file() -> None:
    assert run(["cat"]).stdout == b""
    assert run(["cat"], data=b"").stdout == b""


def test_the_stop_takes_the_program_and_its_children_down(tmp_path: Path) -> None:
    stop = Stop()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/child; wait"], stop=stop)
    wait_for_the_end_of((tmp_path / "child").read_text())
    with pytest.raises(Stopped):
        run(["touch", str(tmp_path / "too late")], stop=stop)
    assert not (tmp_path / "too late").exists()


def test_a_signal_is_a_value() -> None:
    assert run(["sh", "-c", "kill -9 $$"]).status == -9


def test_a_program_that_is_not_installed() -> None:
    with pytest.raises(MachineError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_killed_rig_takes_its_program_with_it(tmp_path: Path) -> None:
    code = f"from util.children.program import run; run(['sh', '-c', 'echo $$ > {tmp_path}/child; exec sleep 60'])"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as rig:
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
            Stop().wait(0.05)
        rig.kill()
    wait_for_the_end_of((tmp_path / "child").read_text())


def test_nothing_is_added_to_an_environment() -> None:
    """Neither by the leash nor by the shell that looks whether the rig still lives."""
    assert run(["env"], env={"PATH": os.environ["PATH"]}).stdout.decode().splitlines() == [f"PATH={os.environ['PATH']}"]
