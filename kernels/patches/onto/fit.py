# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a series that applied was made for the tree that it was applied to.

git applies a hunk some lines away from where its author saw it, and merges it with three ways where the lines around it
changed. Both can put a change into the wrong function. So each file whose blob is another than the one that the patch
names (its `index` line) is told, with the lines by which its hunks were moved.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kernels.patches.patch import Patch
from kernels.source.git import require
from kernels.source.resolve import Source
from kernels.source.store import Store
from util.stop import Stop

_INDEX = re.compile(rb"index ([0-9a-f]{4,64})\.\.[0-9a-f]{4,64}(?: \d+)?")
_NEW = re.compile(r"0+")
_CHECKING = re.compile(r"^Checking patch (.*)\.\.\.$")
_MOVED = re.compile(r"^Hunk #(\d+) succeeded at \d+ \(offset (-?\d+) lines?\)\.$")


@dataclass(frozen=True, slots=True)
class PatchedFile:
    """A file of a patch with the blob that the patch was made for; nothing where it names none."""

    path: str
    blob: str


def misfits(store: Store, source: Source, commit: str, patches: Sequence[Patch], stop: Stop) -> list[str]:
    """One line for each patch that does not fit exactly. `commit` is the source with these patches."""
    listing = require(store.run("rev-list", "--reverse", f"{source.commit}..{commit}", stop=stop)).decode().split()
    found = []
    for patch, before in zip(patches, [source.commit, *listing], strict=False):
        stop.check()
        if not (patch.made and patch.made.tree == store.tree_of(listing[patch.number - 1])):
            found += _of_patch(store, patch, before, stop)
    return found


def _of_patch(store: Store, patch: Patch, before: str, stop: Stop) -> list[str]:
    diff = _diff(patch.mail)
    others = [file for file in files_of(patch.mail) if not _fits(store, before, file)]
    if not others:
        return []
    moved, merged = _by_git(store, diff, before, stop)
    told = [_sentence(file, moved.get(file.path, []), merged) for file in others]
    told = [text for text in told if text]
    return [f"patch {patch.number}, {patch.subject!r}: {'; '.join(told)}"] if told else []


def _sentence(file: PatchedFile, moved: list[tuple[int, int]], merged: str) -> str:
    """What is to be said of one file; nothing for a diff without `index` lines whose hunks stand where they should."""
    hunks = ", ".join(f"hunk {hunk} by {lines:+d} lines" for hunk, lines in moved)
    if merged:
        how = f"merged with three ways ({merged})"
    elif hunks:
        how = f"moved: {hunks}"
    else:
        how = "all hunks where they should be" if file.blob else ""
    if not how:
        return ""
    other = f"another {file.path} ({file.blob[:12]})" if file.blob else f"another {file.path}"
    return f"was made for {other}; {how}"


def _diff(mail: bytes) -> bytes:
    return mail[mail.find(b"\n---\n") + 1 :]


def files_of(mail: bytes) -> list[PatchedFile]:
    """The files that the diff in a patch's mail changes, by git's headers, or by plain ones."""
    found: list[PatchedFile] = []
    blob = ""
    lines = _diff(mail).split(b"\n")
    for line, following in zip(lines, [*lines[1:], b""], strict=True):
        if line.startswith(b"diff --git "):
            blob = ""
        elif match := _INDEX.fullmatch(line):
            blob = match[1].decode()
        elif line.startswith(b"--- ") and following.startswith(b"+++ ") and not line.startswith(b"--- /dev/null"):
            name = line[4:].partition(b"\t")[0].partition(b"/")[2].decode("utf-8", "surrogateescape")
            if name and not _NEW.fullmatch(blob or "x"):
                found.append(PatchedFile(name, blob))
    return found


def _fits(store: Store, commit: str, file: PatchedFile) -> bool:
    there = store.path_id(commit, file.path)
    return bool(file.blob) and there is not None and there.startswith(file.blob)


def _by_git(store: Store, diff: bytes, before: str, stop: Stop) -> tuple[dict[str, list[tuple[int, int]]], str]:
    """(moved hunks with the lines by which they were moved, by file; the changed lines in words where the patch did not
    apply without a merge)."""
    with store.scratch() as folder:
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        require(store.run("read-tree", before, env=env, stop=stop))
        told = store.run("apply", "--cached", "--check", "--verbose", "-", data=diff, env=env, stop=stop)
    if told.status != 0:
        lines = [line for line in diff.split(b"\n") if line[:1] in (b"+", b"-") and line[:3] not in (b"+++", b"---")]
        return {}, f"{len(lines)} changed lines"
    moved: dict[str, list[tuple[int, int]]] = {}
    path = ""
    for line in told.stderr.decode("utf-8", "surrogateescape").splitlines():
        if match := _CHECKING.match(line):
            path = match[1]
        elif match := _MOVED.match(line):
            moved.setdefault(path, []).append((int(match[1]), int(match[2])))
    return moved, ""
