# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between two builds of the kernel in miniature."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels.binary.size import ObjectChange, SizeError, SymbolChange, kept_change, measure_change, same_kernel
from tests.kernels.lab import Lab
from util.children.jobserver import Jobserver


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Jobserver(2) as jobs:
        yield Lab(tmp_path, jobs)


def only(objects: tuple[ObjectChange, ...], path: str) -> ObjectChange:
    assert [item.path for item in objects] == [path]
    return objects[0]


@pytest.mark.slow
def test_a_function_that_grew_is_told_with_its_object(lab: Lab) -> None:
    base = lab.build()
    lab.edit("kernel/seccomp.c", "return nr;", "return nr * 12345 / 7;")
    patched = lab.build()
    change = measure_change(base, patched)
    item = only(change.objects, "kernel/seccomp.o")
    (symbol,) = item.symbols
    assert symbol.name == "check_nr"
    assert symbol.growth > 0
    assert item.after.text > item.before.text
    assert (change.same, same_kernel(base, patched)) == (False, False)
    assert change.after.text > change.before.text


@pytest.mark.slow
def test_objects_that_come_and_go(lab: Lab) -> None:
    base = lab.build()
    lab.add("kernel/fresh.c", "int fresh = 1;\n")
    lab.edit("kernel/Makefile", "obj-y := sched.o", "obj-y := sched.o fresh.o")
    patched = lab.build()
    item = only(measure_change(base, patched).objects, "kernel/fresh.o")
    assert item.symbols == (SymbolChange("fresh", None, 4),)
    assert (item.before.data, item.after.data) == (0, 4)
    gone = only(measure_change(patched, base).objects, "kernel/fresh.o")
    assert gone.symbols == (SymbolChange("fresh", 4, None),)


@pytest.mark.slow
def test_lines_that_move_change_nothing_but_the_build_id(lab: Lab) -> None:
    base = lab.build()
    lab.edit("kernel/seccomp.c", "int check_nr", "/* a comment */\n\nint check_nr")
    patched = lab.build()
    assert base.output("vmlinux").read_bytes() != patched.output("vmlinux").read_bytes()
    change = measure_change(base, patched)
    assert (change.same, change.objects) == (True, ())
    patched.output("image").write_bytes(patched.output("image").read_bytes() + b"\n")  # as a build id inside would
    assert same_kernel(base, patched)


@pytest.mark.slow
def test_the_answer_is_kept_beside_the_patched_build(lab: Lab) -> None:
    base = lab.build()
    lab.edit("kernel/seccomp.c", "return nr;", "return nr + 1;")
    patched = lab.build()
    assert kept_change(base, patched) is None
    change = measure_change(base, patched)
    (patched.folder / "objects").rename(patched.folder / "gone")
    assert kept_change(base, patched) == measure_change(base, patched) == change
    assert kept_change(patched, base) is None
    with pytest.raises(SizeError, match="objects of a build are gone"):
        measure_change(patched, base)


@pytest.mark.slow
def test_without_objects_only_equal_images_are_the_same(lab: Lab) -> None:
    base = lab.build()
    lab.edit("kernel/seccomp.c", "int check_nr", "/* a comment */\n\nint check_nr")
    patched = lab.build()
    (patched.folder / "objects").rename(patched.folder / "gone")
    assert same_kernel(base, patched)
    patched.output("image").write_bytes(patched.output("image").read_bytes() + b"\n")
    assert not same_kernel(base, patched)


@pytest.mark.slow
def test_what_is_no_object_is_an_error(lab: Lab) -> None:
    base = lab.build()
    lab.edit("kernel/seccomp.c", "return nr;", "return nr + 1;")
    patched = lab.build()
    (patched.folder / "objects" / "kernel" / "seccomp.o").write_text("no ELF")
    with pytest.raises(SizeError, match=r"seccomp\.o"):
        measure_change(base, patched)
