# SPDX-License-Identifier: GPL-2.0-or-later
"""What the cache holds is looked at before it is used: damaged folders and files are made again, with a word."""

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from util.events import Event
from util.files import seal
from util.files.atomic import move_folder
from util.files.cached import cached_folder
from util.files.seal import SEAL, folder_intact, intact, seal_folder, sealed_json, unsealed_json
from util.stop import Stop


def make(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_text("content")
    (folder / "program").write_text("#!/bin/sh\n")
    (folder / "program").chmod(0o755)
    (folder / "link").symlink_to("deep/file")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a disk does it


def _relink(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _flip(folder / "deep" / "file"),
        lambda folder: (folder / "deep" / "file").write_text(""),
        lambda folder: (folder / "deep" / "file").unlink(),
        lambda folder: (folder / "deep" / "more").write_text("x"),
        lambda folder: (folder / "program").chmod(0o644),
        lambda folder: (folder / SEAL).write_bytes(b"\xff\n"),
        lambda folder: (folder / SEAL).write_text(""),
        _relink,
    ],
)
def test_a_damaged_folder_is_made_again_with_a_word(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    events: list[Event] = []
    folder = cached_folder(tmp_path, "key", Stop(), make, events.append, "step")
    whole = seal.folder_digest(folder)
    damage(folder)
    seal.forget(folder)  # as another process sees it
    assert cached_folder(tmp_path, "key", Stop(), make, events.append, "step") == folder
    assert [event.text for event in events] == [
        f"{folder} is damaged: it has no digest, or another one; it is made again"
    ]
    assert seal.folder_digest(folder) == whole and folder_intact(folder)


def test_each_folder_is_read_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_folder(tmp_path, "key", Stop(), make)
    assert folder_intact(tmp_path / "key")
    monkeypatch.setattr("util.files.seal.folder_digest", lambda _: pytest.fail("read again"))
    assert cached_folder(tmp_path, "key", Stop(), make) == tmp_path / "key"


def test_a_folder_without_a_seal_is_made_again(tmp_path: Path) -> None:
    """Of an older rig, or one whose seal was lost with who knows what else: it is never sealed as it stands."""
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "program").write_bytes(b"half")
    events: list[Event] = []
    folder = cached_folder(tmp_path, "key", Stop(), make, events.append)
    assert (folder / SEAL).exists() and (folder / "program").read_bytes() != b"half"
    assert [event.text for event in events] == [
        f"{folder} is damaged: it has no digest, or another one; it is made again"
    ]


def test_json_without_a_digest_is_not_believed() -> None:
    with pytest.raises(ValueError, match="digest"):
        unsealed_json('{"a": 1}')


@given(data=st.data(), values=st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6), max_size=4))
@settings(deadline=None)
def test_no_flipped_bit_of_sealed_json_is_believed(data: st.DataObject, values: dict[str, int | str]) -> None:
    values.pop("seal", None)
    content = bytearray(sealed_json(values).encode())
    assert unsealed_json(content.decode()) == values
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = unsealed_json(content.decode())
    except (ValueError, RecursionError):
        return
    assert found == values


def test_a_missing_file_is_not_intact(tmp_path: Path) -> None:
    assert not intact(tmp_path / "nowhere", "0" * 64)
    seal_folder(tmp_path)
    assert json.loads(sealed_json({"a": 1}))["a"] == 1


def test_a_folder_of_a_lower_layer_is_moved_by_copying(tmp_path: Path) -> None:
    """The real thing: overlayfs refuses with EXDEV."""
    lower, upper, work, merged = (tmp_path / name for name in ("lower", "upper", "work", "merged"))
    for folder in (lower / "old", upper, work, merged):
        folder.mkdir(parents=True)
    make(lower / "old")
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(merged)]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"overlayfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(OSError) as refused:
            (merged / "old").rename(merged / "new")
        assert refused.value.errno == errno.EXDEV
        before = seal.folder_digest(merged / "old")
        move_folder(merged / "old", merged / "new")
        assert seal.folder_digest(merged / "new") == before and not (merged / "old").exists()
        assert sorted(path.name for path in merged.iterdir()) == ["new"]
    finally:
        subprocess.run(["umount", str(merged)], check=True)
