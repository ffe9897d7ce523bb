# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin's file, and which function an address lies in."""

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from configs.loader import load_arch
from guests.crash.symbols import ELSEWHERE, USER_SPACE, Functions, parse_symbols
from guests.tracer.trace import TraceError, Window, parse_trace, plugin_option, read_trace
from util.stop import Stop

LISTING = """\
0000000000001000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 0000000000000020 T startup
ffffffff81000000 0000000000000020 t another_name
ffffffff81000040 0000000000000010 t helper
ffffffff81000050 T entry_in_assembly
ffffffff81000090 0000000000000008 T last
ffffffff81200000 0000000000000100 D data
"""


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (0x401000, USER_SPACE),
        (0x7FFFF7FFD000, USER_SPACE),
        (0xFFFFFFFF80FFFFFF, ELSEWHERE),
        (0xFFFFFFFF81000000, "another_name"),
        (0xFFFFFFFF8100003C, "another_name"),
        (0xFFFFFFFF81000040, "helper"),
        (0xFFFFFFFF81000088, "entry_in_assembly"),
        (0xFFFFFFFF81000097, "last"),
        (0xFFFFFFFF81000098, ELSEWHERE),
        (0xFFFFFFFFC0000000, ELSEWHERE),
    ],
)
def test_an_address_lies_in_one_function(address: int, name: str) -> None:
    assert Functions(parse_symbols(LISTING)).at(address) == name


def test_windows_there_and_back() -> None:
    text = "window 1\n401000 3\nend\nwindow 2\nffffffff81000040 a\n401000 1\nend\n"
    found = parse_trace(text)
    assert found == (Window(1, {0x401000: 3}), Window(2, {0xFFFFFFFF81000040: 10, 0x401000: 1}))
    assert [window.total for window in found] == [3, 11]
    assert parse_trace("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "window 1\n401000 3\n",
        "401000 3\n",
        "end\n",
        "window 0\nend\n",
        "window 1\nwindow 2\nend\n",
        "window 1\n401000\nend\n",
        "window 1\n401000 -3\nend\n",
        "window 1\nwindows: more than 10 addresses\nend\n",
    ],
)
def test_what_is_cut_off_or_no_trace_is_refused(text: str) -> None:
    with pytest.raises(TraceError):
        parse_trace(text)


def test_no_trace_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no trace"):
        read_trace(tmp_path / "windows.txt")


def test_the_plugin_is_a_library_that_qemu_knows_what_to_do_with(tmp_path: Path) -> None:
    option = plugin_option(tmp_path / "a,b", load_arch("x86_64"), "7.2.22", Stop())
    library, rest = option.removeprefix("file=").split(",out=")
    wanted = "kernel=0x8000000000000000,mark=0f1f804d41524b,look=0f31"
    assert rest == f"{tmp_path}/a,,b/windows.txt,{wanted}"
    with Path(library).open("rb") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)
        exported = {symbol.name for symbol in table.iter_symbols() if symbol["st_value"]}
    assert exported == {"qemu_plugin_install", "qemu_plugin_version"}
