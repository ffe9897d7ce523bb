# SPDX-License-Identifier: GPL-2.0-or-later
"""Cells by the names of the report: as a row of its table, as a path of the commands, as a glob."""

import pytest

from ci.text.cell_text import cells_of, find_cell, named_cells
from configs.result import Cell, Status
from tests.ci.samples import judged, ran
from util.errors import UserError

P = {"one": Status.PASS}
RUN = judged([ran(variant, P, abi=abi) for variant in ("base", "patched") for abi in ("x86_64", "i386")])


def cell(variant: str, abi: str) -> Cell:
    (found,) = [item for item in cells_of(RUN) if (item.variant, item.abi) == (variant, abi)]
    return found


def test_a_row_a_path_and_a_glob_mean_the_same() -> None:
    wanted = cell("patched", "i386")
    assert find_cell(RUN, f"x86_64 i386 {wanted.suite}") == wanted
    assert find_cell(RUN, str(wanted)) == wanted
    assert find_cell(RUN, "*i386*") == wanted
    assert find_cell(RUN, f"base  x86_64 i386 {wanted.suite}") == cell("base", "i386")
    assert find_cell(RUN, f"base/x86_64/i386/plain/{wanted.suite}") == cell("base", "i386")
    assert named_cells(cells_of(RUN), "base *") == [cell("base", "x86_64"), cell("base", "i386")]


def test_what_is_not_clear_names_the_choice() -> None:
    with pytest.raises(UserError, match=r"names 2 cells: patched x86_64 x86_64 .*, patched x86_64 i386 .*; name one"):
        find_cell(RUN, "*")
    with pytest.raises(UserError, match=r"no cell `x86_64 i868 .*`; nearest: patched x86_64 i386"):
        find_cell(RUN, f"x86_64 i868 {cell('base', 'i386').suite}")
    with pytest.raises(UserError, match="the run has no cell"):
        find_cell(RUN.model_copy(update={"cells": ()}), "x")
