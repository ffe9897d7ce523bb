# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom the tree's own `scripts/get_maintainer.pl` names for a patch, and the mail does not.

A patch that is addressed to nobody yet is left alone: `git send-email` and `b4 prep --auto-to-cc` ask the script
themselves. The script runs in the sandbox and without a history: who is in MAINTAINERS counts, who once committed does
not.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kernels.checks.check import CannotCheckError, Finding, Level, PatchInTree, StaticCheck
from kernels.mail.headers import addresses
from kernels.sandbox.room import Room
from kernels.sandbox.sandbox import sandbox_kind
from kernels.source.worktree import worktree
from util.events import silent

SCRIPT = "scripts/get_maintainer.pl"
_OPTIONS = ("--nogit", "--nogit-fallback", "--nogit-blame", "--no-fixes", "--rolestats", "--no-tree")
_LINE = re.compile(r"(?P<who>[^@]*+@\S[^(]*+)\((?P<role>[a-z][^:()]*+)(?::(?P<part>.*))?\)")
_TRAILER = re.compile(r"[A-Z][a-z]{1,20}(?:-[A-Za-z]{1,20}){0,4}")
_EVERYTHING = "linux-kernel@vger.kernel.org"
"""The list that the script names for every patch."""


def _addresses(item: PatchInTree) -> set[str]:
    """Everybody whom the mail reaches: its recipients, its author, and those in trailers, whom git adds to Cc."""
    lines = [item.header("From"), item.patch.author, *item.patch.recipients]
    for line in item.message.splitlines():
        name, _, value = line.partition(":")
        if _TRAILER.fullmatch(name):
            lines.append(value)
    return {address for line in lines for address in addresses(line)}


def _run(item: PatchInTree) -> Iterator[Finding]:
    if item.store.path_id(item.before, SCRIPT) is None:
        raise CannotCheckError(f"the tree has no {SCRIPT}")
    reached = _addresses(item)
    for line in _said(item):
        if (match := _LINE.fullmatch(line)) and (found := addresses(match["who"])) and found[-1] not in reached:
            is_list = "list" in match["role"]
            if found[-1] != _EVERYTHING:
                part = f" of {match['part']}" if match["part"] else ""
                text = f"the mail does not go to {match['who']} ({match['role']}{part}), whom {SCRIPT} names"
                level = Level.NOTE if is_list or "reviewer" in match["role"] else Level.WARNING
                yield Finding("", 0, level, "not-addressed", text)


def _said(item: PatchInTree) -> list[str]:
    """The script's answer, by a checkout of the tree before the patch."""
    commit = item.store.commit_of(item.before) or item.store.adopt(item.before)
    with (
        worktree(item.store, commit, silent, item.stop) as source,
        tempfile.TemporaryDirectory(prefix="rig-maintainers-") as name,
    ):
        folder = Path(name)
        (folder / "mail.patch").write_bytes(item.patch.mail)
        room = Room(sandbox_kind(), source, folder)
        command = ("env", "-C", room.src, "perl", SCRIPT, *_OPTIONS, f"{room.out}/mail.patch")
        lines: list[str] = []
        status = room.run(command, {}, folder / "log", item.stop, lines.append)
    if status:
        raise CannotCheckError(f"{SCRIPT} ended with status {status}: {(lines or ['it said nothing'])[-1]}")
    return lines


MAINTAINERS = StaticCheck(
    "maintainers", "people whom the tree's get_maintainer.pl names and the mail does not",
    lambda item: bool(item.patch.recipients), _run,
)  # fmt: skip
