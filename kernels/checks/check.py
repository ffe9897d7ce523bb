# SPDX-License-Identifier: GPL-2.0-or-later
"""What a static check is, and what it is given: one patch, the tree before it and the tree after it, and the history of
the git repository that the source was taken from.

A check says only what the patch brings: it looks at the lines that the patch adds, or compares the two trees. It runs
nothing of the tree outside the sandbox.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from kernels.patches.onto.base import source_place
from kernels.patches.patch import Patch
from kernels.source.store import Changes, Store
from kernels.source.user_repo import UserRepo
from util.stop import Stop
from util.text import one_line

BESIDE = ("tools/", "samples/", "scripts/", "Documentation/", "usr/")
"""Folders whose programs are none of the kernel's objects: make goes off into their own Makefiles for minutes."""
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")


UNTOUCHED = ", in a line that the patch does not touch"


class Level(StrEnum):
    """An ERROR must not be sent and fails the run; a WARNING should be looked at; a NOTE may well be meant."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that a check found. `path` is empty for what is about the mail, `line` is 0 where there is none and
    counts in the file after the patch; `kind` is one word that names the rule, `text` one line for the author.
    `elsewhere`: the patch brings it about in a line that it does not touch."""

    path: str
    line: int
    level: Level
    kind: str
    text: str
    elsewhere: bool = False

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}: " if self.line else f"{self.path}: " if self.path else ""
        return f"{place}{self.level.value}: {self.text} [{self.kind}]{UNTOUCHED if self.elsewhere else ''}"


class CannotCheckError(Exception):
    """Why a check has no answer here, as one line: the result is a SKIP."""


@dataclass(frozen=True)
class PatchInTree:
    """One patch of a series of `total`. `before` and `after` are ids of trees in the store; `base` is the commit in
    `history` that the series stands on, where the source has a history (a git repository), else None."""

    patch: Patch
    total: int
    store: Store
    before: str
    after: str
    stop: Stop
    history: "SourceHistory | None" = None

    @cached_property
    def changes(self) -> Changes:
        """(A, M, D or T; path) of every file that the patch touches."""
        return self.store.changed_paths(self.before, self.after)

    @cached_property
    def kernel_files(self) -> tuple[str, ...]:
        """The paths that are there after the patch and belong to the kernel: what kbuild compiles or includes."""
        return tuple(path for status, path in self.changes if status != "D" and not path.startswith(BESIDE))

    @cached_property
    def added(self) -> Mapping[str, Mapping[int, str]]:
        """By path the lines that the patch adds, by their numbers in the file after it."""
        options = ("-p", "-U0", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/")
        text = self.store.git("diff-tree", *options, "--dst-prefix=b/", self.before, self.after)
        return added_in_diff(text)

    @cached_property
    def message(self) -> str:
        """The commit message with its trailers: the mail's text up to `---` or the diff."""
        text = self.patch.mail.decode("utf-8", "replace").partition("\n\n")[2]
        return re.split(r"^(?:---\s*$|diff --git |--- \S)", text, maxsplit=1, flags=re.MULTILINE)[0]

    def header(self, name: str) -> str:
        """A header of the mail, empty where it has none."""
        head = self.patch.mail.decode("utf-8", "replace").partition("\n\n")[0]
        found = re.search(rf"^{name}: (.*(?:\n[ \t].*)*)", head, re.MULTILINE)
        return " ".join(found[1].split()) if found else ""

    def text(self, path: str, before: bool = False) -> str | None:
        """A file's text after the patch (or before it); None where there is no such file."""
        found = self.store.blob(self.before if before else self.after, path)
        return None if found is None else found.decode("utf-8", "replace")

    def grep(self, pattern: str, *paths: str) -> list[str]:
        """`path:line` of the tree after the patch in which an extended regular expression matches."""
        found = self.store.run("grep", "-I", "-E", "-e", pattern, self.after, "--", *paths)
        lines = found.stdout.decode("utf-8", "replace").splitlines()
        return [line.removeprefix(f"{self.after}:") for line in lines]


@dataclass(frozen=True, slots=True)
class SourceHistory:
    """A git repository behind a source. `subject` gives that of a commit whose (short) id is given, None where there is
    no such commit; `is_before` tells whether it is an ancestor of base."""

    subject: Callable[[str], str | None]
    is_before: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class StaticCheck:
    """`name` is the test's, `about` one line for people. `applies` is asked first, for it costs little; `run` gives the
    findings in any order and raises CannotCheckError."""

    name: str
    about: str
    applies: Callable[[PatchInTree], bool]
    run: Callable[[PatchInTree], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class StaticCheckResult:
    """One check of one patch. `applied` is False where it had nothing to look at; `skipped` says why there is no
    answer, `remark` what the answer does not cover."""

    check: StaticCheck
    patch: Patch
    findings: tuple[Finding, ...] = ()
    applied: bool = True
    skipped: str = ""
    remark: str = ""


def told_apart(findings: Iterable[Finding], added: Mapping[str, Mapping[int, str]]) -> tuple[Finding, ...]:
    """The findings, each once and in one line, those in lines that the patch touches first."""
    marked = {
        replace(item, text=one_line(item.text), elsewhere=bool(item.line) and item.line not in added.get(item.path, {}))
        for item in findings
    }
    return tuple(sorted(marked, key=lambda item: (item.elsewhere, item)))


def added_in_diff(diff: str) -> dict[str, dict[int, str]]:
    """The added lines of a diff of ours, which was made with no context and plain prefixes."""
    found: dict[str, dict[int, str]] = {}
    path, number, in_hunk = "", 0, False
    for line in diff.split("\n"):
        if line.startswith("diff --git "):
            path, in_hunk = "", False
        elif not in_hunk and line.startswith("+++ b/"):
            path = line[len("+++ b/") :].rstrip("\t")
        elif hunk := _HUNK.match(line):
            number, in_hunk = int(hunk[1]), True
        elif in_hunk and line.startswith("+") and path:
            found.setdefault(path, {})[number] = line[1:]
            number += 1
    return found


def history_of(spec: str) -> SourceHistory | None:
    """The history of a source spec; None for what has none (a package, a tarball, a plain folder)."""
    if (place := source_place(spec)) is None:
        return None
    repo, revision = place
    base = repo.rev(revision, "commit")
    return _history(repo, base) if base else None


def _history(repo: UserRepo, base: str) -> SourceHistory:
    def subject(commit: str) -> str | None:
        if repo.rev(commit, "commit") is None:
            return None
        found = repo.git("show", "-s", "--no-show-signature", "--format=%s", commit)
        return found.stdout.decode("utf-8", "replace").strip()

    def is_before(commit: str) -> bool:
        return repo.git("merge-base", "--is-ancestor", commit, base).status == 0

    return SourceHistory(subject, is_before)
