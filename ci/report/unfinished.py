# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folder before a run has an answer: no old one is left in it, and a JUnit file that is an error.

Whatever ends the run, a kill too, a gate that reads only `junit.xml` or only `results.json` does not find a pass.
"""

from pathlib import Path

from junit_xml import TestCase, TestSuite, to_xml_report_string

from ci.report.output import GATE, clear
from util.errors import MachineError, UserError
from util.files.atomic import write_atomic

FOLDERS = ("console", "configs", "builds")
"""What a run makes in its output folder beside the reports."""

_PLOTS = (".svg", ".png", ".txt")
_TEXT = "the run did not come to its end, so there is no answer: it was interrupted or killed, or it gave up"


def begin(folder: Path) -> None:
    """Makes the folder ready for a run. Raises UserError where something of the user's is in the way, and MachineError
    where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clear(folder)
        _unlink_links(folder)
    except OSError as error:
        raise MachineError(f"{folder}: cannot be the output folder: {error.strerror}") from None
    for name in FOLDERS:
        if (folder / name).exists() and not (folder / name).is_dir():
            raise UserError(
                f"{folder / name}: a run makes a folder of this name; move the file away, or take another --out"
            )
    write_atomic(folder / GATE, placeholder())


def placeholder() -> str:
    """A JUnit file with one error: the run has no answer."""
    case = TestCase("end", classname="run")
    case.add_error_info(_TEXT, _TEXT, "MISS")
    text: str = to_xml_report_string([TestSuite("run", [case])], prettyprint=False, encoding="utf-8")
    return text


def refusal(reason: str) -> str:
    """A JUnit file with one failure: what was asked for cannot be tested."""
    case = TestCase("usable", classname="series")
    case.add_failure_info(reason, reason, "FAIL")
    text: str = to_xml_report_string([TestSuite("series", [case])], prettyprint=False, encoding="utf-8")
    return text


def _unlink_links(folder: Path) -> None:
    """Takes away every symbolic link that the run would write through: it could lead anywhere."""
    for path in folder.iterdir():
        if path.is_symlink() and (path.name in FOLDERS or path.suffix in _PLOTS):
            path.unlink()
    for name in FOLDERS:
        for path in (folder / name).rglob("*"):
            if path.is_symlink():
                path.unlink()
