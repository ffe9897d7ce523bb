# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders that are thrown away."""

from pathlib import Path

from util.files.atomic import discard_beside


def test_what_is_discarded_beside_is_out_of_the_way_at_once_and_gone_in_the_end(tmp_path: Path) -> None:
    folder, work = tmp_path / "objects", tmp_path / "work"
    work.mkdir()
    (folder / "kernel").mkdir(parents=True)
    (folder / "kernel" / "fork.o").write_text("code")
    (folder / "kernel").chmod(0)
    thread = discard_beside(folder, work)
    assert not folder.exists()
    assert thread is not None
    thread.join()
    assert list(work.iterdir()) == []
    assert discard_beside(folder, work) is None
