# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces against a small program that is built like a kernel: its own entry, a line table, an inlined function."""

import subprocess
from pathlib import Path

import pytest

from configs.loader import load_arch
from guests.crash.symbolise import Symboliser

ARCH = load_arch("x86_64").model_copy(update={"cross_compile": ""})
MAIN = """\
#include "../kernel/inner.h"
int twin_user(int n);
static int __attribute__((noinline)) twin(int n) { return n * 3; }
int outer(int n) { return inner(n) + twin(n); }
void start_kernel(void) { for (;;) outer(twin_user(1)); }
"""
INNER = """\
extern volatile int sink;
static inline __attribute__((always_inline)) int inner(int n)
{
    sink = n;
    return n + 1;
}
"""
TWIN = """\
volatile int sink;
static int __attribute__((noinline)) twin(int n)
{
    sink = n;
    sink = n + 1;
    return sink;
}
int twin_user(int n) { return twin(n) + 1; }
"""


@pytest.fixture(scope="module", params=["/src/", ""])
def vmlinux(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with a prefix map, as the rig does, and without."""
    return _build(tmp_path_factory.mktemp("tree"), "-g1", request.param)


def _build(tree: Path, debug: str, prefix: str) -> Path:
    for name, text in {"init/main.c": MAIN, "kernel/inner.h": INNER, "kernel/twin.c": TWIN}.items():
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    output = tree / "vmlinux"
    mapping = [f"-ffile-prefix-map={tree}/={prefix}"] if prefix else []
    sources = [str(tree / "init/main.c"), str(tree / "kernel/twin.c")]
    flags = ["-nostdlib", "-static", "-O1", debug, *mapping, "-Wl,--entry=start_kernel"]
    subprocess.run(["gcc", *flags, "-o", str(output), *sources], check=True)
    return output


def _size(vmlinux: Path, name: str, which: int = 0) -> int:
    listing = subprocess.run(["nm", "-S", str(vmlinux)], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines() if line.endswith(f" {name}")]
    return sorted(int(row[1], 16) for row in rows)[which]


def test_function_file_and_line(vmlinux: Path) -> None:
    symboliser = Symboliser(vmlinux, ARCH)
    assert symboliser.problem == ""
    (line,) = symboliser.places([(f"twin_user+0x0/{_size(vmlinux, 'twin_user'):#x}", False)])
    assert line == "twin_user at kernel/twin.c:8"


@pytest.mark.slow
def test_what_was_inlined_comes_first(vmlinux: Path) -> None:
    size = _size(vmlinux, "outer")
    lines = [Symboliser(vmlinux, ARCH).places([(f"outer+{at:#x}/{size:#x}", False)]) for at in range(size)]
    assert ("inner at kernel/inner.h:4 (inlined)", "outer at init/main.c:4") in lines


def test_two_functions_of_one_name_are_told_apart_by_size(vmlinux: Path) -> None:
    symboliser = Symboliser(vmlinux, ARCH)
    small, large = _size(vmlinux, "twin", 0), _size(vmlinux, "twin", 1)
    assert small != large
    assert symboliser.places([(f"twin+0x0/{small:#x}", False)])[-1] == "twin at init/main.c:3"
    assert symboliser.places([(f"twin+0x0/{large:#x}", False)])[-1].startswith("twin at kernel/twin.c:")


def test_a_return_address_belongs_to_the_call_before_it(vmlinux: Path) -> None:
    size = _size(vmlinux, "twin_user")
    symboliser = Symboliser(vmlinux, ARCH)
    first_of_next = f"twin_user+{size:#x}/{size:#x}"
    assert symboliser.places([(first_of_next, True)]) == ("twin_user at kernel/twin.c:8",)


def test_program_counters(vmlinux: Path) -> None:
    listing = subprocess.run(["nm", str(vmlinux)], capture_output=True, text=True, check=True).stdout
    address = next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(" outer"))
    assert Symboliser(vmlinux, ARCH).counter(address) == "outer at init/main.c:4"
    assert Symboliser(vmlinux, ARCH).counter(0x10) == "0x10"


def test_what_is_not_known_stays_as_it_is(vmlinux: Path) -> None:
    places = [("absent+0x1/0x2", True), ("no place at all", False)]
    assert Symboliser(vmlinux, ARCH).places(places) == ("absent+0x1/0x2", "no place at all")


def test_without_debug_information_it_says_so(tmp_path: Path) -> None:
    symboliser = Symboliser(_build(tmp_path, "-g0", ""), ARCH)
    assert "no line table" in symboliser.problem
    assert symboliser.places([("outer+0x1/0x20", True)]) == ("outer+0x1/0x20",)


def test_without_vmlinux_it_says_so(tmp_path: Path) -> None:
    assert "no vmlinux" in Symboliser(None, ARCH).problem
    assert "no vmlinux" in Symboliser(tmp_path / "absent", ARCH).problem
    (tmp_path / "empty").touch()
    assert "cannot read empty" in Symboliser(tmp_path / "empty", ARCH).problem
