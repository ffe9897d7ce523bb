# SPDX-License-Identifier: GPL-2.0-or-later
"""What `clean` removes from the cache, and what it leaves to a rig that is at work."""

import os
import time
from pathlib import Path

import pytest

from ci.machine.clean import DAY, lines, remove
from util.events import silent
from util.files.lock import locked
from util.stop import Stop


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kernel-patch-rig"


def entry(path: Path, days: float = 0.0) -> Path:
    """A file that was last used so long ago, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 8192)
    used = time.time() - days * DAY
    os.utime(path, (used, used))
    return path


def test_only_what_is_old_goes(root: Path) -> None:
    old, new = entry(root / "initramfs" / "images" / "a.cpio", 9.0), entry(root / "initramfs" / "images" / "b.cpio")
    answer = entry(root / "accel" / "0123.json", 9.0)
    assert any("0123.json" in line for line in lines())
    remove(3.0, silent, Stop())
    assert (old.exists(), new.exists(), answer.exists()) == (False, True, False)


def test_what_another_rig_is_making_stays_until_it_is_made(root: Path) -> None:
    unfinished = entry(root / "testcases" / "batches" / "0123.part" / "batch").parent
    finished = entry(root / "testcases" / "batches" / "4567" / "batch").parent
    entry(finished.with_suffix(".lock"))
    image = entry(root / "initramfs" / "images" / "x86_64-89.cpio")
    package = entry(root / "initramfs" / "debian" / "busybox_1.35_amd64.deb")
    held = [unfinished.with_suffix(".lock"), image.with_suffix(".lock"), package.parent / "busybox_amd64.lock"]
    with locked(held[0], Stop()), locked(held[1], Stop()), locked(held[2], Stop()):
        remove(0.0, silent, Stop())
        assert [path.exists() for path in (unfinished, image, package)] == [True, True, True]
        assert not finished.exists()
    remove(0.0, silent, Stop())
    assert not any(path.exists() for path in (unfinished, image, package))
    assert all(path.exists() for path in held)


def test_a_guest_that_proves_an_accelerator_keeps_its_folder(root: Path) -> None:
    log = entry(root / "accel" / "probe-1-x86_64-kvm" / "console.log")
    remove(0.0, silent, Stop())
    assert log.exists()
