# SPDX-License-Identifier: GPL-2.0-or-later
"""Structs out of real objects of each architecture: byte orders, and relocations that the library for DWARF lacks."""

import shutil
import subprocess
from pathlib import Path

import pytest

from configs.loader import load_arch
from configs.names import names
from kernels.binary.dwarf import read_structs

SOURCE = "struct inner { char a; long b; };\nstruct outer { int x; struct inner in[3]; char tail; } *p;\n"


@pytest.mark.parametrize("name", names("archs"))
def test_a_struct_is_read_from_an_object_of_the_architecture(name: str, tmp_path: Path) -> None:
    arch = load_arch(name)
    compiler = shutil.which(f"{arch.cross_compile}gcc")
    if compiler is None:
        pytest.skip(f"no {arch.cross_compile}gcc")
    (tmp_path / "unit.c").write_text(SOURCE, encoding="ascii")
    subprocess.run([compiler, "-gdwarf-5", "-c", "unit.c"], cwd=tmp_path, check=True)
    (outer,) = read_structs(tmp_path / "unit.o", {"outer"}, arch.cache_line).values()
    assert (outer.size, outer.holes, outer.hole_bytes, outer.padding) == (64, 1, 4, 7)
    assert [member.name for member in outer.members] == ["x", "in", "tail"]
    assert outer.cache_lines == -(-64 // arch.cache_line)
