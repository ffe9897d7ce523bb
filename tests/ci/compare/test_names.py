# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of revisions."""

import pytest

from ci.compare.revisions import names_of
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
