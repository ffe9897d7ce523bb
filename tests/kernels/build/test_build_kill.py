# SPDX-License-Identifier: GPL-2.0-or-later
"""The rig killed at random moments of a build: nothing runs on, and the next build is right."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernels.sandbox.sandbox import probe
from tests.kernels.lab import Lab, same_outputs
from util.children.jobserver import Jobserver

pytestmark = pytest.mark.slow
_BUILD = """
import sys
from pathlib import Path
from util.stop import Stop
from kernels.build.build import BuildStore, KernelRequest, build_kernel
from util.children.jobserver import Jobserver
from tests.kernels.lab import Lab

class Again(Lab):
    def __post_init__(self):
        from tests.kernels.lab import Snapshots
        self.source = self.root / "source"
        self.store = Snapshots(self.root / "trees")
        self.builds = BuildStore(self.root / "builds")

with Jobserver(2) as jobs:
    lab = Again(Path(sys.argv[1]), jobs, config=tuple(sys.argv[2:]))
    lab.store.take(Path(sys.argv[1]) / "first")
    print("built", lab.build().ok, flush=True)
"""


def _holders(folder: Path) -> list[str]:
    """Every process that has a file below `folder` open, or runs in it."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            links = [os.readlink(link) for link in (process / "fd").iterdir()] + [os.readlink(process / "cwd")]  # noqa: PTH115
            command = (process / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if any(link.startswith(str(folder)) for link in links) or str(folder) in command:
            found.append(f"{process.name} {command!r}")
    return found


def _gone(folder: Path, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while _holders(folder) and time.monotonic() < until:
        time.sleep(0.02)
    return not _holders(folder)


@pytest.mark.parametrize("sandbox", ["bwrap", "none"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_build_killed_at_random_moments_leaves_nothing_behind_and_the_next_one_is_right(
    tmp_path: Path, sandbox: str, how: signal.Signals, chance: random.Random
) -> None:
    config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    with Jobserver(2) as jobs:
        lab = Lab(tmp_path, jobs, config=config)
        (tmp_path / "first").symlink_to(lab.source)
        environment = {**os.environ, "RIG_SANDBOX": sandbox}
        for _ in range(4):
            rig = subprocess.Popen(
                (sys.executable, "-c", _BUILD, str(tmp_path), *config), env=environment, stdout=subprocess.PIPE
            )
            assert rig.stdout
            time.sleep(chance.uniform(0.3, 3.5))
            rig.send_signal(how)
            rig.wait()
            rig.stdout.close()
            assert _gone(tmp_path), _holders(tmp_path)
        os.environ["RIG_SANDBOX"] = sandbox
        try:
            build = lab.build()
            assert build.ok and build.output("image").stat().st_size
            assert same_outputs(build, lab.clean_build())
        finally:
            del os.environ["RIG_SANDBOX"]
    assert not any((lab.builds.root / "work").iterdir())


@pytest.mark.parametrize("sandbox", ["bwrap", "landlock", "none"])
def test_nothing_outlives_the_rig(tmp_path: Path, sandbox: str) -> None:
    if problem := probe(sandbox):
        pytest.skip(f"{sandbox}: {problem}")
    config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    with Jobserver(2) as jobs:
        lab = Lab(tmp_path, jobs, config=config)
        lab.edit("kernel/Makefile", "sleep 2", "echo '  NAP     pause'; sleep 300")
        (tmp_path / "first").symlink_to(lab.source)
        environment = {**os.environ, "RIG_SANDBOX": sandbox}
        rig = subprocess.Popen((sys.executable, "-c", _BUILD, str(tmp_path), *config), env=environment)
        while not list(tmp_path.glob("builds/work/*/out/init/main.o")):
            time.sleep(0.1)
        assert len(_holders(tmp_path)) > 2
        rig.kill()
        rig.wait()
        assert _gone(tmp_path), _holders(tmp_path)


def test_killed_while_it_starts_from_other_objects(tmp_path: Path) -> None:
    config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    with Jobserver(2) as jobs:
        lab = Lab(tmp_path, jobs, config=config)
        base = lab.build()
        (tmp_path / "first").mkdir()
        subprocess.run(("cp", "-a", f"{lab.source}/.", str(tmp_path / "first")), check=True)
        lab.edit("include/linux/kernel.h", "42", "43")
        lab.edit("kernel/Makefile", "sleep 2", "sleep 3")
        for delay in (0.4, 0.8, 1.2, 1.8, 2.5):
            rig = subprocess.Popen((sys.executable, "-c", _BUILD, str(tmp_path), *config))
            time.sleep(delay)
            rig.kill()
            rig.wait()
            assert _gone(tmp_path), _holders(tmp_path)
        build = lab.build()
        assert build.ok and build.started_from == base.key
        assert same_outputs(build, lab.clean_build())


def test_a_folder_from_before_a_reboot_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    with Jobserver(2) as jobs:
        lab = Lab(tmp_path, jobs, config=config)
        (tmp_path / "first").symlink_to(lab.source)
        rig = subprocess.Popen((sys.executable, "-c", _BUILD, str(tmp_path), *config))
        while not list(tmp_path.glob("builds/work/*/state.json")):
            time.sleep(0.05)
        rig.kill()
        rig.wait()
        monkeypatch.setattr("kernels.build.work_folder._boot_id", lambda: "another")
        assert lab.build().ok
        assert "from scratch" in lab.texts()
