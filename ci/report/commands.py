# SPDX-License-Identifier: GPL-2.0-or-later
"""commands.txt: every command of the run, ready to paste; and the one way in which a command is shown to a person."""

import shlex
from collections.abc import Iterator, Sequence

from ci.model.results import Run


def paste(command: Sequence[str], width: int = 0, indent: str = "") -> str:
    """The argument list as shell text; with a `width`, broken between arguments so that it can still be pasted."""
    words = [_quote(word) for word in command]
    if not width or len(indent) + len(" ".join(words)) <= width:
        return indent + " ".join(words)
    lines, line = [], indent
    for word in words:
        full = f"{line} {word}" if line.strip() else f"{line}{word}"
        if line.strip() and len(full) + 2 > width:
            lines.append(f"{line} \\")
            line = f"{indent}  {word}"
        else:
            line = full
    return "\n".join([*lines, line])


def _quote(word: str) -> str:
    """As a shell wants it, on one line, and with nothing in it that a terminal would obey."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escape, word)) + "'"


def _escape(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def render(run: Run) -> str:
    """A shell script of sorts: a comment says what each command is."""
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
            yield f"# not run: {' '.join(cell.not_run.split())}"
        for command in (cell.command, cell.reproduce):
            if command:
                yield paste(command)
