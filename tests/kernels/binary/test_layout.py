# SPDX-License-Identifier: GPL-2.0-or-later
"""Structs of a finished build, from a unit that is compiled once more beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels.binary.dwarf import StructLayout
from kernels.binary.layout import Wanted, kept_layouts, layouts, parse_wanted
from kernels.build.build import Build, build_kernel
from kernels.build.debug_compile import LayoutError, debug_command
from kernels.build.units import Unit, Units
from tests.kernels.lab import Lab
from util.children.jobserver import Jobserver
from util.stop import Stop

FILTER = "struct filter { int refs; char log; struct filter *prev; };\n"
UNUSED = "struct unused { char a; long b; };\n"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Jobserver(2) as jobs:
        made = Lab(tmp_path, jobs)
        made.edit("kernel/seccomp.c", "int check_nr", f"{FILTER}int check_nr")
        made.add("include/linux/seccomp.h", f"#define SECCOMP_MASK 0xff\n{UNUSED}struct other;\n")
        yield made


def layout(lab: Lab, build: Build, *structs: str) -> list[StructLayout | None]:
    """The layouts of structs (`NAME` or `FILE:NAME`), in order."""
    wanted = [parse_wanted(text) for text in structs]
    found = layouts(build, lab.source, wanted, Stop())
    return [found[item] for item in wanted]


def listing(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@pytest.mark.slow
def test_structs_of_a_c_file_and_of_a_header_used_or_not(lab: Lab) -> None:
    build = lab.build()
    before = listing(build.folder / "objects")
    filter_, unused = layout(lab, build, "kernel/seccomp.c:filter", "include/linux/seccomp.h:unused")
    assert filter_ and unused
    assert (filter_.size, filter_.holes, filter_.hole_bytes, filter_.padding) == (16, 1, 3, 0)
    assert [member.name for member in unused.members] == ["a", "b"]
    assert listing(build.folder / "objects") == before


@pytest.mark.slow
def test_a_bare_name_is_looked_for(lab: Lab) -> None:
    (unused,) = layout(lab, lab.build(), "unused")
    assert unused and unused.size == 16


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["other", "nowhere", "kernel/seccomp.c:nowhere", "kernel/none.c:filter", "../a.c:filter"]
)
def test_a_struct_that_this_kernel_does_not_have_is_none(lab: Lab, name: str) -> None:
    assert layout(lab, lab.build(), name) == [None]


@pytest.mark.slow
def test_a_name_that_two_files_define_must_say_which(lab: Lab) -> None:
    lab.edit("kernel/sched.c", "int schedule", "struct filter { long b; };\nint schedule")
    build = lab.build()
    with pytest.raises(LayoutError, match=r"kernel/sched\.c and in kernel/seccomp\.c; write FILE:filter"):
        layout(lab, build, "filter")
    (small,) = layout(lab, build, "kernel/sched.c:filter")
    assert small and small.size == 8


@pytest.mark.slow
def test_the_answer_is_kept_beside_the_build(lab: Lab) -> None:
    build = lab.build()
    wanted = [Wanted("filter", "kernel/seccomp.c"), Wanted("nowhere")]
    assert kept_layouts(build, wanted) is None
    found = layouts(build, lab.source, wanted, Stop())
    assert kept_layouts(build, reversed(wanted)) == found
    assert kept_layouts(build, wanted[:1]) is None
    (build.folder / "objects").rename(build.folder / "gone")
    assert layouts(build, lab.source, wanted, Stop()) == found
    with pytest.raises(LayoutError, match="objects of this build are gone"):
        layouts(build, lab.source, wanted[:1], Stop())


@pytest.mark.slow
def test_a_damaged_answer_is_none(lab: Lab) -> None:
    build = lab.build()
    (first,) = layout(lab, build, "unused")
    (kept,) = build.folder.glob("layout-*.json")
    kept.write_text(kept.read_text()[:-9])
    assert layout(lab, build, "unused") == [first]


@pytest.mark.slow
def test_a_unit_that_does_not_compile_again_is_told(lab: Lab) -> None:
    build = lab.build()
    lab.edit("kernel/seccomp.c", "return nr;", "return nr")
    with pytest.raises(
        LayoutError, match=r"kernel/seccomp\.c does not compile with debug information: kernel/seccomp\.c:"
    ):
        layout(lab, build, "kernel/seccomp.c:filter")


@pytest.mark.slow
def test_objects_that_were_deleted_are_made_again_when_asked_for(lab: Lab) -> None:
    build = lab.build()
    (build.folder / "objects").rename(build.folder / "gone")
    assert lab.build().cached
    assert not (build.folder / "objects").is_dir()
    again = build_kernel(lab.request(), lab.store, lab.jobs, lab.events.append, Stop(), None, lab.builds, objects=True)
    assert (again.key, again.ok) == (build.key, True)
    assert (build.folder / "objects" / "kernel" / "seccomp.o").is_file()
    assert lab.build().cached


@pytest.mark.parametrize("prefix", ["cmd", "savedcmd"])
def test_what_kbuild_records_is_read(tmp_path: Path, prefix: str) -> None:
    """As in 5.10 and 6.12: objtool behind the compiler, an escaped number sign, a quoted definition."""
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / ".a.o.cmd").write_text(
        f"{prefix}_kernel/a.o := gcc -Wp,-MMD,kernel/.a.o.d -I./include -DA='\"x y\"' -DB=$(pound) -Werror=date-time"
        " -g1 -c -o kernel/a.o /src/kernel/a.c ; ./tools/objtool/objtool --hacks kernel/a.o\n\n"
        "source_kernel/a.o := /src/kernel/a.c\n\ndeps_kernel/a.o := \\\n"
        "    $(wildcard include/config/COMPAT) \\\n  /src/include/linux/kernel.h \\\n  include/generated/b.h \\\n"
    )
    unit = Units(tmp_path).showing("include/linux/kernel.h")
    assert unit == Units(tmp_path).showing("kernel/a.c")
    assert unit is not None and unit.headers == {"include/linux/kernel.h"}
    command = debug_command(unit)
    assert command[:4] == ("gcc", "-I./include", '-DA="x y"', "-DB=#")
    assert command[-4:] == ("-c", "-o", "/beside/unit.o", "/beside/unit.c")
    assert not [word for word in command if "objtool" in word or "MMD" in word or word == "-g1"]


@pytest.mark.parametrize("target", ["arch/x86/boot/a.o", "arch/x86/entry/vdso/a.o", "tools/a.o"])
def test_objects_for_another_mode_or_machine_are_no_units(tmp_path: Path, target: str) -> None:
    record = tmp_path / Path(target).parent / ".a.o.cmd"
    record.parent.mkdir(parents=True)
    record.write_text(f"cmd_{target} := gcc -c -o {target} /src/{Path(target).with_suffix('.c')}\n")
    assert Units(tmp_path).all == []


def test_the_smallest_unit_shows_a_header() -> None:
    units = Units(Path())
    big = Unit("a.o", "a.c", frozenset({"a.h", "b.h", "c.h"}), ("gcc",))
    small = Unit("b.o", "b.c", frozenset({"a.h"}), ("gcc",))
    units.__dict__["all"] = [big, small]
    assert units.showing("a.h") == small
    assert units.showing("c.h") == big
    assert units.showing("d.h") is None
