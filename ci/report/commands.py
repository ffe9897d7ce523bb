# SPDX-License-Identifier: GPL-2.0-or-later
"""commands.txt: every command of the run, ready to paste."""

from collections.abc import Iterator

from ci.model.results import Run
from util.text import paste, plain_line


def render(run: Run) -> str:
    """Shell text: a comment before each command says what it does."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield f"# {run.profile}, {run.started:%Y-%m-%d %H:%M:%S %z}: all commands of this run, in bash's quoting"
    yield paste(run.command)
    for build in run.builds:
        yield ""
        note = " (taken from the cache)" if build.cached else ""
        yield f"# build {build.variant} {build.arch} {build.flavour}{note}"
        yield from map(paste, build.commands)
    for cell in run.cells:
        yield ""
        note = " (taken from the cache)" if cell.cached else ""
        attempt = f" re-run {cell.attempt}" if cell.attempt else ""
        yield f"# guest {cell.cell}{attempt}{note}"
        if cell.not_run:
            yield f"# not run: {plain_line(cell.not_run)}"
        for command in (cell.command, cell.reproduce):
            if command:
                yield paste(command)
