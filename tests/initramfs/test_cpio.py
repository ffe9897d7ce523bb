# SPDX-License-Identifier: GPL-2.0-or-later
"""The archive writer, against GNU cpio."""

import stat
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initramfs.cpio import Entry, archive, directory, file, node, program, symlink
from util.errors import UserError


def listed(data: bytes) -> dict[str, str]:
    """What GNU cpio lists: name (with the target of a link) -> the columns before it."""
    done = subprocess.run(["cpio", "-itv", "--quiet"], input=data, capture_output=True, check=True)
    assert done.stderr == b""
    lines = [line.split(None, 8) for line in done.stdout.decode().splitlines()]
    return {line[8]: " ".join(line[:5]) for line in lines}


def test_every_kind_of_entry_reads_back() -> None:
    data = archive(
        [
            program("init", b"#!x"),
            file("etc/motd", b"hello\n", 0o600),
            symlink("bin/sh", "busybox"),
            directory("tmp", 0o1777),
        ]
    )
    rows = listed(data)
    assert rows["init"] == "-rwxr-xr-x 1 root root 3"
    assert rows["etc"] == rows["bin"] == "drwxr-xr-x 1 root root 0"
    assert rows["tmp"].startswith("drwxrwxrwt ")
    assert rows["etc/motd"] == "-rw------- 1 root root 6"
    assert rows["bin/sh -> busybox"].startswith("lrwxrwxrwx ")
    assert list(rows) == ["bin", "bin/sh -> busybox", "etc", "etc/motd", "init", "tmp"]


def test_device_nodes_need_no_privilege() -> None:
    done = subprocess.run(
        ["cpio", "-itv", "--quiet"], input=archive([node("dev/null", 1, 3, 0o666)]), capture_output=True, check=True
    )
    assert done.stdout.splitlines()[1].split()[:6] == [b"crw-rw-rw-", b"1", b"root", b"root", b"1,", b"3"]


def test_content_extracts_byte_for_byte(tmp_path: Path, chance: Random) -> None:
    contents = {f"d/{size}": chance.randbytes(size) for size in (0, 1, 2, 3, 4, 5, 4095, 70000)}
    data = archive([file(path, content) for path, content in contents.items()])
    subprocess.run(["cpio", "-id", "--quiet", "--no-preserve-owner"], input=data, cwd=tmp_path, check=True)
    assert {path: (tmp_path / path).read_bytes() for path in contents} == contents


def test_the_order_of_the_entries_makes_no_difference() -> None:
    entries = [file("a/b", b"1"), file("a-c", b"2"), directory("a"), file("b", b"3")]
    assert archive(entries) == archive(reversed(entries))


def test_parents_stand_before_their_children() -> None:
    """`a-c` sorts between `a` and `a/b` as text."""
    assert list(listed(archive([file("a/b", b""), file("a-c", b"")]))) == ["a", "a/b", "a-c"]


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
names = st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=12), max_size=4)


@pytest.mark.slow
@pytest.mark.no_cover
@patient
@given(st.dictionaries(names.map("/".join), st.binary(max_size=50), max_size=8))
def test_any_archive_is_aligned_and_repeatable(contents: dict[str, bytes]) -> None:
    try:
        data = archive([file(path, content) for path, content in contents.items()])
    except UserError:
        return
    assert len(data) % 4 == 0
    assert data == archive([file(path, content) for path, content in reversed(contents.items())])
    assert data.count(b"TRAILER!!!\0") >= 1
    position = 0
    seen = set()
    while True:  # walk it as the kernel does
        assert position % 4 == 0 and data[position : position + 6] == b"070701"
        fields = [int(data[at : at + 8], 16) for at in range(position + 6, position + 110, 8)]
        name = data[position + 110 : position + 109 + fields[11]]
        position += -(-(110 + fields[11]) // 4) * 4 + -(-fields[6] // 4) * 4
        if name == b"TRAILER!!!":
            break
        assert fields[4] == 1 and fields[0] not in seen and name not in seen
        seen |= {fields[0], name}
    assert position == len(data)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([file("../etc/passwd", b"")], "no name inside the image"),
        ([file("a/../../b", b"")], "no name inside the image"),
        ([file("", b"")], "no name inside the image"),
        ([file("/", b"")], "no name inside the image"),
        ([file("a\0b", b"")], "no name inside the image"),
        ([file("TRAILER!!!", b"")], "ends an archive"),
        ([file("/".join(["x" * 200] * 21), b"")], "the kernel takes 4095"),
        ([file("a", b""), file("/a", b"")], "two entries are called `a`"),
        ([file("a", b""), file("a/b", b"")], "which is not a directory"),
        ([Entry("a", 0o644)], "names no type of file"),
        ([Entry("a", stat.S_IFDIR | 0o755, b"x")], "only files and symbolic links hold data"),
        ([symlink("a", "")], "a link's target"),
        ([symlink("a", "x" * 4096)], "a link's target"),
        ([node("a", 1 << 32, 0)], "no such device number"),
    ],
)
def test_what_the_kernel_would_take_wrongly_is_refused(entries: list[Entry], words: str) -> None:
    with pytest.raises(UserError, match=words):
        archive(entries)


def test_the_longest_name_is_taken() -> None:
    name = "/".join(["x" * 255] * 16)
    assert len(name) == 4095
    archive([file(name, b"")])
