# SPDX-License-Identifier: GPL-2.0-or-later
"""Walks over folders that change meanwhile, and what files hold on the disk."""

from pathlib import Path

from util.files.disk import below, disk_use, present


def test_what_has_gone_since_it_was_listed_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    assert [path.name for path, _ in present([tmp_path / "gone", tmp_path / "here", tmp_path / "gone" / "too"])] == [
        "here"
    ]


def test_a_walk_finds_files_links_and_folders_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    (tmp_path / "a" / "nowhere").symlink_to("nothing")
    found = {str(path.relative_to(tmp_path)) for path, _ in below(tmp_path)}
    assert found == {"a", "a/b", "a/file", "a/link", "a/nowhere"}
    assert list(below(tmp_path / "none")) == []


def test_a_file_of_two_names_counts_once_where_both_are_counted(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (one / "data").write_bytes(b"x" * (1 << 20))
    alone = disk_use(one)
    (other / "data").hardlink_to(one / "data")
    assert alone >= 1 << 20
    assert (1 << 20) / 2 <= disk_use(other) < 1 << 20
    assert abs(disk_use(tmp_path) - alone) < 1 << 16
    assert disk_use(tmp_path / "none") == 0
