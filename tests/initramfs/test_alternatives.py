# SPDX-License-Identifier: GPL-2.0-or-later
"""The links that a package gets when it is installed, read out of its script."""

from pathlib import Path

import pytest

from initramfs.alternatives import add_alternatives
from tests.faketree import write_files

TABLES = r"""#!/bin/sh
set -e
if [ "$1" = configure ]; then
    update-alternatives \
        --install /usr/sbin/tables tables /usr/sbin/tables-new 20 \
        --slave /usr/sbin/tables-save tables-save /usr/sbin/tables-new-save \
        --slave /usr/share/man/man8/tables.8.gz tables.8.gz /usr/share/man/man8/tables-new.8.gz
    update-alternatives \
        --install /usr/sbin/tables tables /usr/sbin/tables-old 10 \
        --slave /usr/sbin/tables-save tables-save /usr/sbin/tables-old-save
fi
"""
LOOP = r"""
for _NAME in route route6
do
    update-alternatives --install \
        /usr/bin/${_NAME} ${_NAME} /usr/bin/$_NAME.db 100
done
"""
FILES = ["usr/sbin/tables-old", "usr/sbin/tables-old-save", "usr/sbin/tables-new", "usr/sbin/tables-new-save"]


def links(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): str(path.readlink()) for path in root.rglob("*") if path.is_symlink()}


def test_the_highest_priority_counts(tmp_path: Path) -> None:
    write_files(tmp_path, dict.fromkeys(FILES, ""))
    add_alternatives(tmp_path, TABLES)
    assert links(tmp_path) == {
        "usr/sbin/tables": "/usr/sbin/tables-new",
        "usr/sbin/tables-save": "/usr/sbin/tables-new-save",
    }


def test_what_the_package_does_not_hold_is_no_target(tmp_path: Path) -> None:
    write_files(tmp_path, dict.fromkeys(FILES[:2], ""))
    add_alternatives(tmp_path, TABLES)
    assert links(tmp_path)["usr/sbin/tables"] == "/usr/sbin/tables-old"


@pytest.mark.parametrize(("priority", "made"), [(10, True), (5, False)])
def test_a_makeshift_is_no_better_than_busybox(tmp_path: Path, priority: int, made: bool) -> None:
    write_files(tmp_path, {"usr/bin/mawk": ""})
    add_alternatives(tmp_path, f"update-alternatives --install /usr/bin/awk awk /usr/bin/mawk {priority}\n")
    assert bool(links(tmp_path)) is made


def test_a_loop_over_names_is_followed(tmp_path: Path) -> None:
    write_files(tmp_path, {"usr/bin/route.db": "", "usr/bin/route6.db": ""})
    add_alternatives(tmp_path, LOOP)
    assert links(tmp_path) == {"usr/bin/route": "/usr/bin/route.db", "usr/bin/route6": "/usr/bin/route6.db"}


def test_a_file_of_the_package_stays(tmp_path: Path) -> None:
    write_files(tmp_path, {"usr/bin/nc": "own", "usr/bin/nc.other": "other"})
    add_alternatives(tmp_path, "update-alternatives --install /usr/bin/nc nc /usr/bin/nc.other 50\n")
    assert links(tmp_path) == {} and (tmp_path / "usr/bin/nc").read_text() == "own"


def test_a_folder_that_leads_out_of_the_package_gets_no_link(tmp_path: Path) -> None:
    write_files(tmp_path / "root", {"usr/lib/nc.one": ""})
    (tmp_path / "outside").mkdir()
    (tmp_path / "root/usr/bin").symlink_to(tmp_path / "outside")
    add_alternatives(tmp_path / "root", "update-alternatives --install /usr/bin/nc nc /usr/lib/nc.one 50\n")
    assert [*(tmp_path / "outside").iterdir()] == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "update-alternatives --install /usr/bin/a a",
        "update-alternatives --install /usr/bin/a a /usr/bin/b soon",
        "update-alternatives --install /usr/bin/a a '/usr/bin/b 10",
        "update-alternatives --install /usr/bin/$1 a /usr/bin/b 10",
        "update-alternatives --install ../a a /usr/bin/b 10",
        "update-alternatives --install /../a a /usr/bin/b 10",
        "update-alternatives --install /usr/bin/a a /../usr/bin/b 10",
        "update-alternatives --remove a /usr/bin/b",
        "# update-alternatives --install /usr/bin/a a /usr/bin/b 10",
    ],
)
def test_what_cannot_be_read_makes_no_link(tmp_path: Path, line: str) -> None:
    write_files(tmp_path / "root", {"usr/bin/b": ""})
    add_alternatives(tmp_path / "root", f"{line}\n")
    assert links(tmp_path) == {}
