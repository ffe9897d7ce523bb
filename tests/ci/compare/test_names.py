# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of revisions."""

from pathlib import Path

import pytest

from ci.compare.revisions import names_of, numbered
from kernels.mail.thread import ThreadChoice
from kernels.patches.patch import Series


def series(version: int) -> Series:
    return Series("", "", version, ())


@pytest.mark.parametrize(
    ("specs", "versions", "wanted"),
    [
        (["a.mbox", "b.mbox"], [3, 4], ["v3", "v4"]),
        (["a.mbox", "b.mbox.gz"], [1, 1], ["a", "b"]),
        (["one/series", "two/series/"], [1, 1], ["series", "series-2"]),
        (["base.mbox", "other"], [1, 1], ["base-2", "other"]),
        (["~/linux:v5.10..v3", "~/linux:v5.10..v4"], [1, 1], ["linux-v5.10..v3", "linux-v5.10..v4"]),
        (["<20200924@example.org>", "..."], [2, 2], ["20200924-example.org", "unnamed"]),
    ],
)
def test_versions_name_revisions_and_else_their_files(specs: list[str], versions: list[int], wanted: list[str]) -> None:
    assert names_of(specs, [series(version) for version in versions]) == wanted


def test_a_number_behind_a_thread_chooses_one_of_its_revisions(tmp_path: Path) -> None:
    for name in ("thread.mbox", "odd", "odd@v3"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    choice = ThreadChoice(None, 2, "")
    for spec, wanted in (
        (f"{tmp_path}/thread.mbox@v3", (f"{tmp_path}/thread.mbox", 3)),
        ("20200924@example.org@v12", ("20200924@example.org", 12)),
        ("https://lore.example.org/r/1@v2", ("https://lore.example.org/r/1", 2)),
        (f"{tmp_path}/odd@v3", (f"{tmp_path}/odd@v3", None)),
        (f"{tmp_path}/folder@v3", (f"{tmp_path}/folder@v3", None)),
        (f"{tmp_path}/thread.mbox", (f"{tmp_path}/thread.mbox", None)),
        (f"{tmp_path}/thread.mbox@v0", (f"{tmp_path}/thread.mbox@v0", None)),
        ("A..B@v3", ("A..B@v3", None)),
    ):
        assert numbered(spec, choice) == (wanted[0], ThreadChoice(wanted[1], 2, "")), spec
