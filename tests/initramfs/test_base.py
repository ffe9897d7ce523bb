# SPDX-License-Identifier: GPL-2.0-or-later
"""The two archives of a guest."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from configs.model import Arch
from initramfs import base
from initramfs.base import base_image, job_image
from initramfs.cpio import directory, file
from initramfs.job import GuestJob, Step, encode
from util.errors import MachineError, UserError
from util.events import Event, Phase, silent
from util.stop import Stop


def modes(data: bytes) -> dict[str, str]:
    done = subprocess.run(["cpio", "-itv", "--quiet"], input=data, capture_output=True, check=True)
    return {line.split()[-1]: line.split()[0] for line in done.stdout.decode().splitlines()}


def test_the_base_holds_what_a_kernel_needs_and_is_made_once(host_arch: Arch) -> None:
    path = base_image(host_arch, silent, Stop())
    rows = modes(path.read_bytes())
    assert rows["init"] == "-rwxr-xr-x" and rows["dev/console"] == "crw-------" and rows["tmp"] == "drwxrwxrwt"
    assert {"proc", "sys", "dev", "run", "rig"} <= set(rows) and "bin/busybox" not in rows
    inode = path.stat().st_ino
    assert base_image(host_arch, silent, Stop()) == path and path.stat().st_ino == inode
    assert not list(path.parent.glob("*.part"))


@pytest.mark.slow
def test_init_is_the_same_from_any_folder(host_arch: Arch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = base.compile_init(host_arch, silent, Stop())
    moved = tmp_path / "elsewhere"
    shutil.copytree(base.INIT, moved)
    monkeypatch.setattr(base, "INIT", moved)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    there = base.compile_init(host_arch, silent, Stop())
    assert there != here and there.parent.name == here.parent.name
    assert there.read_bytes() == here.read_bytes()


def test_an_init_that_does_not_compile_is_the_rigs_fault(
    host_arch: Arch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.c").write_text("int main(void) { return x; }\n")
    monkeypatch.setattr(base, "INIT", tmp_path)
    events: list[Event] = []
    with pytest.raises(MachineError, match=r"init does not compile for .*error: .x. undeclared"):
        base_image(host_arch, events.append, Stop())
    assert events[-1].phase is Phase.FAILED and events[-1].command


def test_the_job_stands_in_its_image_and_is_private() -> None:
    job = GuestJob("abc", (Step("s", ("true",)),))
    data = job_image(job, [file("opt/test", b"T" * 10)])
    assert encode(job) in data and b"T" * 10 in data
    assert modes(data)["rig/job"] == "-rw-------"


def test_the_job_does_not_widen_what_the_base_closed() -> None:
    """The kernel sets the mode of a directory that is there already."""
    assert modes(job_image(GuestJob("n"), [file("root/x", b"")]))["root"] == "drwx------"
    assert modes(job_image(GuestJob("n"), [directory("root", 0o711), file("root/x", b"")]))["root"] == "drwx--x--x"


@pytest.mark.parametrize("path", ["tmp/x", "/dev/x", "proc", "sys/a/b", "run/x", "var/run", "/var/run/x"])
def test_a_file_that_nobody_would_see_is_refused(path: str) -> None:
    with pytest.raises(UserError, match="the guest mounts over this folder"):
        job_image(GuestJob("n"), [file(path, b"")])


def test_device_nodes_of_the_base_are_entries_only() -> None:
    kinds = {stat.S_IFMT(entry.mode) for entry in base.layout() if entry.path.startswith("dev/")}
    assert kinds == {stat.S_IFCHR}


def test_what_is_written_below_var_run_is_found_below_run() -> None:
    (entry,) = [entry for entry in base.layout() if entry.path == "var/run"]
    assert stat.S_ISLNK(entry.mode)
    assert entry.data == b"/run"
    assert job_image(GuestJob("n"), [file("var/running", b"")])
