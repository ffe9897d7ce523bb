# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tree's own `kernel-doc` newly says of the files that a patch touches. It runs in the sandbox."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kernels.checks.check import CannotCheckError, Finding, Level, PatchInTree, StaticCheck
from kernels.sandbox.room import Room
from kernels.sandbox.sandbox import sandbox_kind
from util.errors import MachineError

FORMS = (
    ("tools/docs/kernel-doc", "python3", "tools/lib/python"),
    ("scripts/kernel-doc.py", "python3", "scripts/lib"),
    ("scripts/kernel-doc", "perl", ""),
)
"""The script, what runs it and the folder of its modules: from 7.0 on, from 6.16 on, and before that. From 6.15 to 6.19
`scripts/kernel-doc` is a link to one of its forms."""
_LINE = re.compile(r"(?:(?:warning|error):\s*)?(\S+?):(\d+):?\s+(?:(?:warning|error):\s*)?(.*)", re.IGNORECASE)
_Said = dict[tuple[str, str], int]
"""(path, text) -> line"""


def _paths(item: PatchInTree) -> list[str]:
    return [path for path in item.added if path.endswith((".c", ".h"))]


def _run(item: PatchInTree) -> Iterator[Finding]:
    form = next((form for form in FORMS if item.store.path_id(item.before, form[0])), None)
    if form is None:
        raise CannotCheckError("the tree has no kernel-doc")
    old, new = _said(item, form, before=True), _said(item, form, before=False)
    for (path, text), line in new.items():
        if (path, text) not in old:
            yield Finding(path, line, Level.WARNING, "kernel-doc", text)


def _said(item: PatchInTree, form: tuple[str, str, str], before: bool) -> _Said:
    """Every line of the script about the touched files, which stand in a folder of their own. Script and modules are
    those of the tree before the patch."""
    files = {path: text for path in _paths(item) if (text := item.text(path, before)) is not None}
    if not files:
        return {}
    script, runs, modules = form
    tools = [script, *(item.store.files(item.before, modules) if modules else ())]
    with tempfile.TemporaryDirectory(prefix="rig-kernel-doc-") as name:
        folder = Path(name)
        source, out = folder / "source", folder / "out"
        out.mkdir()
        contents = {path: text.encode() for path, text in files.items()}
        for path, data in {**contents, **{tool: item.store.blob(item.before, tool) or b"" for tool in tools}}.items():
            target = source / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        room = Room(sandbox_kind(), source, out)
        command = (runs, f"{room.src}/{script}", "-none", *(f"{room.src}/{path}" for path in files))
        lines: list[str] = []
        status = room.run(command, {"PYTHONDONTWRITEBYTECODE": "1"}, folder / "log", item.stop, lines.append)
        if status < 0 or (status and not any(map(_LINE.fullmatch, lines))):
            raise MachineError(f"{script} ended with status {status}: {(lines or ['it said nothing'])[-1]}")
        found = (match for line in lines if (match := _LINE.fullmatch(line)))
        return {(match[1].removeprefix(f"{room.src}/"), match[3]): int(match[2]) for match in found}


KERNEL_DOC = StaticCheck("kernel-doc", "new complaints of the tree's own kernel-doc", lambda i: bool(_paths(i)), _run)
