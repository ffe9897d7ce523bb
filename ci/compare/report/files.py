# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folder of a comparison: text, page, and JSON last, so that its presence means that the folder is
complete. Each run has a folder of its own in it."""

from pathlib import Path

from ci.compare.answer import CompareAnswer
from ci.compare.report import page, text
from ci.report.formats.json_report import dump
from util.errors import MachineError
from util.files.atomic import write_atomic

JSON, TEXT, PAGE = "compare.json", "compare.txt", "compare.html"


def begin(folder: Path) -> None:
    """Makes the folder, and takes an earlier answer away: it must not be taken for a new one. Raises MachineError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (JSON, TEXT, PAGE):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{folder}: cannot be the output folder: {error.strerror}") from None


def write(answer: CompareAnswer, folder: Path) -> None:
    write_atomic(folder / TEXT, text.render(answer))
    write_atomic(folder / PAGE, page.render(answer))
    write_atomic(folder / JSON, dump(answer))
