# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tree's own `scripts/kernel-doc` newly says of the files that a patch touches. It runs in the sandbox."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kernels.checks.check import CannotCheckError, Finding, Level, PatchInTree, StaticCheck
from kernels.sandbox.room import Room
from kernels.sandbox.sandbox import sandbox_kind
from util.errors import MachineError

SCRIPT = "scripts/kernel-doc"
_LINE = re.compile(r"(?:(?:warning|error):\s*)?(\S+?):(\d+):?\s+(?:(?:warning|error):\s*)?(.*)", re.IGNORECASE)
_Said = dict[tuple[str, str], int]
"""(path, text) -> line"""


def _paths(item: PatchInTree) -> list[str]:
    return [path for path in item.added if path.endswith((".c", ".h"))]


def _run(item: PatchInTree) -> Iterator[Finding]:
    script = item.store.blob(item.before, SCRIPT)
    if script is None:
        raise CannotCheckError(f"the tree has no {SCRIPT}")
    if not script.startswith(b"#!/usr/bin/env perl") and not script.startswith(b"#!/usr/bin/perl"):
        raise CannotCheckError(f"{SCRIPT} of this tree is no single Perl script, which is all that is understood here")
    old, new = _said(item, script, before=True), _said(item, script, before=False)
    for (path, text), line in new.items():
        if (path, text) not in old:
            yield Finding(path, line, Level.WARNING, "kernel-doc", text)


def _said(item: PatchInTree, script: bytes, before: bool) -> _Said:
    """Every line of the script about the touched files, which stand in a folder of their own."""
    files = {path: text for path in _paths(item) if (text := item.text(path, before)) is not None}
    if not files:
        return {}
    with tempfile.TemporaryDirectory(prefix="rig-kernel-doc-") as name:
        folder = Path(name)
        source, out = folder / "source", folder / "out"
        out.mkdir()
        for path, text in {**files, SCRIPT: script.decode("utf-8", "replace")}.items():
            target = source / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        room = Room(sandbox_kind(), source, out)
        command = ("perl", f"{room.src}/{SCRIPT}", "-none", *(f"{room.src}/{path}" for path in files))
        lines: list[str] = []
        status = room.run(command, {}, folder / "log", item.stop, lines.append)
        if status < 0 or (status > 100 and not any(map(_LINE.match, lines))):
            raise MachineError(f"{SCRIPT} ended with status {status}: {(lines or ['it said nothing'])[-1]}")
        found = (match for line in lines if (match := _LINE.fullmatch(line)))
        return {(match[1].removeprefix(f"{room.src}/"), match[3]): int(match[2]) for match in found}


KERNEL_DOC = StaticCheck("kernel-doc", "new complaints of the tree's own kernel-doc", lambda i: bool(_paths(i)), _run)
