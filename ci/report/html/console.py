# SPDX-License-Identifier: GPL-2.0-or-later
"""The console of a guest for the page: its end, the kernel's reports marked, their traces decoded."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ci.model.stages import CellResult
from ci.report.html.clean import file_address
from guests.crash.outcome import Fault

_BYTES = 48 * 1024
"""What a page holds of one console; the file beside it is whole."""


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """`fault` is the title of the report that begins here, `marked` says that the line is part of one."""

    text: str
    marked: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Console:
    """One guest's. `left_out` bytes of the beginning are not shown; `address` is the file's, relative to the page."""

    title: str
    address: str
    lines: tuple[ConsoleLine, ...]
    faults: tuple[Fault, ...]
    left_out: int = 0


def console(result: CellResult, folder: Path | None) -> Console:
    """What the guest of `result` printed: from its file, or the tail that the results hold where there is none."""
    again = f", re-run {result.attempt}" if result.attempt else ""
    own = f", suite of {result.suite_variant}" if result.suite_variant else ""
    text, left_out = _read(folder, result.console)
    lines = text.splitlines() if text is not None else list(result.console_tail)
    title = f"{result.cell.variant}{again}{own}"
    address = file_address(result.console)
    return Console(title, address, tuple(_marked(lines, result.faults)), result.faults, left_out)


def _read(folder: Path | None, name: str) -> tuple[str | None, int]:
    """The end of the file and how many bytes come before it; None for a file that is not below `folder`."""
    if folder is None or not file_address(name):
        return None, 0
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None, 0
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - _BYTES)
        file.seek(start)
        return file.read().decode("utf-8", "replace"), start


def _marked(lines: Iterable[str], faults: Iterable[Fault]) -> list[ConsoleLine]:
    """Each report is sought as printed, one after the other; a line may carry a time before the report's text."""
    found = [ConsoleLine(line) for line in lines]
    start = 0
    for fault in faults:
        first = next(
            (place for place in range(start, len(found)) if _is_line(found[place].text, fault.lines[:1])), None
        )
        if first is None:
            continue
        for offset, wanted in enumerate(fault.lines):
            place = first + offset
            if place < len(found) and _is_line(found[place].text, (wanted,)):
                found[place] = ConsoleLine(found[place].text, True, fault.title if offset == 0 else "")
        start = first + 1
    return found


def _is_line(text: str, wanted: tuple[str, ...]) -> bool:
    return bool(wanted) and bool(wanted[0].strip()) and text.rstrip().endswith(wanted[0].strip())
