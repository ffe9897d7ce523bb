# SPDX-License-Identifier: GPL-2.0-or-later
"""Two versions of one C file, compiled by the compilers of all architectures: what is the same, and what is not?"""

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from configs.loader import load_arch, load_profile
from configs.names import names
from kernels.binary.object_code import Body, Sizes, SymbolRanges, loaded_digest, read_object
from kernels.binary.same_code import same_code

USUAL = load_profile("boot").archs
"""Those that the rig's set-up installs; compilers of other architectures are tried where there are some."""
COMPILERS = {name: load_arch(name).abis[name].toolchain.cc for name in names("archs")}
SOURCE = """\
extern int outside(int, const char *);
extern int elsewhere(int, const char *);
static const char *const names[] = { "one", "two" };
int counter = 3;
static int first = 1;
static int second = 2;
int pair(void) { return ++first * ++second; }
static int zeros[16];
static __attribute__((noinline)) int local(int x) { zeros[x] = counter; return zeros[x & 3] * x; }
static __attribute__((noinline)) int other(int x) { zeros[x] = counter; return zeros[x & 3] + x; }
int padding_(int x) { return x; }
int caller(int x) { return local(x) + outside(x, "text") + counter; }
int loop(int x) { while (x > 3) x = other(x) + outside(x, names[x & 1]); return x; }
double scaled(double x) { return x * 3.25; }
int last(int x) { return other(x); }
"""


def compiled(folder: Path, name: str, text: str, arch: str, *flags: str) -> Path:
    if arch not in USUAL and shutil.which(COMPILERS[arch]) is None:
        pytest.skip(f"no compiler for {arch}, which no profile asks for by itself")
    (folder / "a.c").write_text(text, encoding="utf-8")
    steady = (
        "-fno-pic",
        "-fno-section-anchors",
        "-fno-toplevel-reorder",
        "-falign-functions=1",
        "-falign-loops=1",
        "-falign-jumps=1",
    )
    command = (COMPILERS[arch], "-O2", "-fno-optimize-sibling-calls", *steady, *flags, "-c", "-o", name, "a.c")
    subprocess.run(command, cwd=folder, check=True)
    return folder / name


def changed(one: Path, other: Path) -> set[str]:
    before, after = read_object(one), read_object(other)
    return {
        name
        for name in before.bodies.keys() | after.bodies.keys()
        if name not in before.bodies
        or name not in after.bodies
        or not same_code(before.machine, before.bodies[name], after.bodies[name])
    }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """SOURCE as it stands, compiled once for an architecture."""
    return cache(lambda arch: compiled(tmp_path_factory.mktemp(arch), "one.o", SOURCE, arch))


@pytest.mark.slow
@pytest.mark.parametrize("arch", COMPILERS)
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return x; }\nint caller", "return x; } /* a comment */\nint caller", set()),
        ("{ return x; }", "{ return x * 12345 / 7 + counter; }", {"padding_"}),
        ('outside(x, "text")', 'elsewhere(x, "text")', {"caller"}),
        ('"text"', '"next"', {"caller"}),
        ("return local(x)", "return other(x)", {"caller"}),
        ("int last(int x) { return other(x); }", "int last(int x) { return local(x); }", {"last"}),
        ("int counter = 3", "int counter = 4", {"counter"}),
        ("static int second", "static int mid = 7; int *at(void) { return &mid; } static int second", {"mid", "at"}),
        ("zeros[16]", "zeros[17]", {"zeros"}),
        ("int last(int x) { return other(x); }", "", {"last"}),
        ('{ "one", "two" }', '{ "two", "one" }', {"names"}),
        ("x * 3.25", "x * 1234567.8125", {"scaled"}),
    ],
)
def test_only_what_changed_is_changed(
    tmp_path: Path, first: Callable[[str], Path], arch: str, old: str, new: str, expected: set[str]
) -> None:
    assert old in SOURCE
    one = first(arch)
    other = compiled(tmp_path, "other.o", SOURCE.replace(old, new, 1), arch)
    assert changed(one, other) == expected
    assert (loaded_digest(one) == loaded_digest(other)) is (not expected)


@pytest.mark.parametrize("arch", COMPILERS)
def test_line_numbers_are_not_loaded(tmp_path: Path, arch: str) -> None:
    one = compiled(tmp_path, "one.o", SOURCE, arch, "-g1")
    other = compiled(tmp_path, "other.o", f"\n\n{SOURCE}", arch, "-g1")
    assert one.read_bytes() != other.read_bytes()
    assert loaded_digest(one) == loaded_digest(other)


def test_sizes_are_those_of_size(tmp_path: Path) -> None:
    path = compiled(tmp_path, "one.o", SOURCE, "x86_64")
    words = (
        subprocess.run(("size", str(path)), capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
    )
    assert read_object(path).sizes == Sizes(*map(int, words[:3]))


def test_a_build_id_is_no_difference(tmp_path: Path) -> None:
    """The build id covers line numbers; what is loaded does not hold them."""
    text = "int main(void) { return 0; }\n"
    paths = []
    for name, source in (("one", text), ("lines", f"\n{text}"), ("code", text.replace("0", "1"))):
        (tmp_path / "a.c").write_text(source)
        subprocess.run(("gcc", "-g1", "-Wl,--build-id", "-o", name, "a.c"), cwd=tmp_path, check=True)
        # a kernel has it among other notes in `.notes`
        subprocess.run(("objcopy", "--rename-section", ".note.gnu.build-id=.notes", name), cwd=tmp_path, check=True)
        paths.append(tmp_path / name)
    one, lines, code = paths
    assert one.read_bytes() != lines.read_bytes()
    assert loaded_digest(one) == loaded_digest(lines) != loaded_digest(code)


def test_what_is_no_object_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.o").write_text("no ELF")
    with pytest.raises(ValueError, match=r"a\.o"):
        read_object(tmp_path / "a.o")


@pytest.mark.parametrize(
    ("machine", "one", "other", "same"),
    [
        ("EM_AARCH64", "02000094", "03000094", True),  # bl, one word farther to the same place
        ("EM_AARCH64", "02000094", "03000014", False),  # b in place of bl
        ("EM_X86_64", "e803000000", "e807000000", True),
        ("EM_X86_64", "e803000000", "e907000000", False),
        ("EM_X86_64", "0f8402000000", "0f8406000000", True),
        ("EM_X86_64", "0f8402000000", "0f8506000000", False),  # jne in place of je
        ("EM_S390", "c0e500000004", "c0e500000006", True),
        ("EM_S390", "c0e500000004", "c0d500000006", False),  # brasl that leaves the way back in another register
        ("EM_RISCV", "6f008000", "6f00c000", False),  # no such branch is described
        ("EM_NONE", "e803000000", "e807000000", False),
    ],
)
def test_a_branch_is_the_same_where_only_its_distance_differs(machine: str, one: str, other: str, same: bool) -> None:
    """Each version reaches the start of `there`, which lies 4 bytes farther away in the other one."""

    def body(code: str, place: int) -> Body:
        return Body(len(code) // 2, 0, bytes.fromhex(code), (), SymbolRanges(((place, place + 16, "there"),)))

    assert same_code(machine, body(one, 8), body(other, 12)) is same
