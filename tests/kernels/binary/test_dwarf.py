# SPDX-License-Identifier: GPL-2.0-or-later
"""Layouts from debug information, each beside what pahole says of the same object."""

import subprocess
from pathlib import Path

import pytest

from kernels.binary.dwarf import Member, StructLayout, read_structs
from tests.kernels.pahole import ours, pahole

SOURCE = """\
struct inner { char a; int b; };
struct plain { char a; long b; char c; };
struct bits { unsigned a:3; unsigned b:5; unsigned :0; unsigned c:1; long d; unsigned e:2; };
struct anonymous { char k; union { long l; struct { short x; int y; }; }; char z[3]; };
struct flexible { int n; char pad[60]; long whole; long tail[]; };
struct straddling { char c[60]; long l; } __attribute__((packed));
struct nested { int m[2][3]; const struct inner i; struct inner *p; struct inner j[2]; };
struct roomy { char a; long b __attribute__((aligned(64))); };
struct empty { };
struct plain p; struct bits b; struct anonymous a; struct flexible *f; struct straddling *k; struct nested *n;
struct roomy *r; struct empty *e; struct unknown *u;
"""
NAMES = ("plain", "bits", "anonymous", "flexible", "straddling", "nested", "roomy")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dwarf")
    (folder / "a.c").write_text(SOURCE, encoding="utf-8")
    subprocess.run(("gcc", "-gdwarf-5", "-c", "-o", "a.o", "a.c"), cwd=folder, check=True)
    return folder / "a.o"


@pytest.mark.parametrize("name", NAMES)
def test_totals_are_those_of_pahole(built: Path, name: str) -> None:
    assert ours(read_structs(built, [name])[name]) == pahole(built, name)


def one(built: Path, name: str) -> StructLayout:
    return read_structs(built, [name])[name]


def test_members_with_offset_and_size_in_bits(built: Path) -> None:
    assert one(built, "plain").members == (Member("a", 0, 8), Member("b", 64, 64), Member("c", 128, 8))
    assert one(built, "bits").members[1:3] == (Member("b", 3, 5), Member("c", 32, 1))
    assert [member.size for member in one(built, "nested").members] == [192, 64, 64, 128]


def test_members_of_anonymous_records_are_the_structs_own(built: Path) -> None:
    offsets = {member.name: member.offset // 8 for member in one(built, "anonymous").members}
    assert offsets == {"k": 0, "l": 8, "x": 8, "y": 12, "z": 16}


def test_a_member_in_two_cache_lines_is_told(built: Path) -> None:
    assert one(built, "straddling").straddlers == ("l",)
    assert one(built, "flexible").straddlers == ()


def test_a_struct_that_is_only_declared_is_not_found(built: Path) -> None:
    assert read_structs(built, ["unknown", "nowhere"]) == {}


def test_what_is_no_object_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.o"
    path.write_text("no ELF")
    with pytest.raises(ValueError, match=r"a\.o"):
        read_structs(path, ["plain"])


def test_an_object_without_debug_information_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int a;\n")
    subprocess.run(("gcc", "-g0", "-c", "-o", "a.o", "a.c"), cwd=tmp_path, check=True)
    with pytest.raises(ValueError, match="no debug information"):
        read_structs(tmp_path / "a.o", ["plain"])
