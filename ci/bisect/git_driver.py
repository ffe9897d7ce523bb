# SPDX-License-Identifier: GPL-2.0-or-later
"""`git bisect` in a bare repository of our own, which borrows the objects of the user's and none of its refs.

git decides which commit comes next: merges, skipped commits, path limits and first-parent walks are its own. Nothing is
checked out (git-bisect(1), --no-checkout, is implied in a bare repository), and the user's index, tree and refs are
never opened for writing.
"""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ci.bisect.facts.steps import History
from kernels.source.git import require, run_git
from util.children.program import Finished
from util.errors import MachineError
from util.stop import Stop


class Mark(StrEnum):
    """What git is told about a commit."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a bisection stands: the commit to ask `next`, or what was found. One commit in `found` is the first bad
    one; several are all that it could be, the others having been skipped. `trouble` is git's word where it gives up."""

    next: str = ""
    found: tuple[str, ...] = ()
    left: int = 0
    steps: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """The words for the older and the newer state."""

    old: str = "good"
    new: str = "bad"

    def of(self, mark: Mark) -> str:
        return {Mark.GOOD: self.old, Mark.BAD: self.new}.get(mark, "skip")


@dataclass(frozen=True, slots=True)
class Commit:
    """What a report says about a commit."""

    id: str
    subject: str
    author: str
    date: str
    parents: tuple[str, ...]


_LEFT = re.compile(r"^Bisecting: (\d+) revisions? left to test after this \(roughly (\d+) steps?\)", re.MULTILINE)
_FIRST = re.compile(r"^([0-9a-f]{40}) is the first (\S+) commit", re.MULTILINE)
_MIDDLE = re.compile(r"^bisect_rev='([0-9a-f]{40})'$", re.MULTILINE)
_ID = re.compile(r"^[0-9a-f]{40}$", re.MULTILINE)
_ONLY_SKIPPED = "There are only 'skip'ped commits left to test."


class GitDriver:
    """One bisection. `folder` is ours alone; it is made anew by `start`."""

    def __init__(self, history: History, folder: Path, stop: Stop, terms: Terms | None = None) -> None:
        self.history, self.folder, self.terms = history, folder, terms or Terms()
        self._stop = stop

    def start(self, marks: Iterable[tuple[str, Mark]] = ()) -> Position:
        """Begins anew and tells git what is known already, in this order. Raises MachineError, Stopped."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        require(run_git(self.folder, "init", "--quiet", "--bare", "--template="))
        alternates = "".join(f"{path}\n" for path in self.history.objects)
        (self.folder / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (self.folder / "objects" / "info" / "alternates").write_text(alternates, encoding="utf-8")
        # HEAD has to name a commit, or git has nothing to come back to
        require(self._git("update-ref", "refs/heads/bisected", self.history.bad))
        require(self._git("symbolic-ref", "HEAD", "refs/heads/bisected"))
        words = ["start", "--no-checkout", f"--term-old={self.terms.old}", f"--term-new={self.terms.new}"]
        if self.history.first_parent:
            words.append("--first-parent")
        said = self._git("bisect", *words, self.history.bad, self.history.good, "--", *self.history.paths)
        position = self._read(said)
        for commit, mark in marks:
            if position.found or position.trouble:
                break
            position = self.mark(commit, mark)
        return position

    def mark(self, commit: str, mark: Mark) -> Position:
        """Tells git about one commit."""
        return self._read(self._git("bisect", self.terms.of(mark), commit))

    def log(self) -> str:
        """What `git bisect replay` takes, in the user's own repository as well."""
        return require(self._git("bisect", "log")).decode("utf-8", "replace")

    def open_range(self) -> list[str]:
        """The commits that can still be the first bad one, newest first, as far as git's marks go."""
        bad, good = self._marked()
        first = ("--first-parent",) if self.history.first_parent else ()
        listed = self._git("rev-list", *first, *bad, *good, "--", *self.history.paths)
        return require(listed).decode().split()

    def foresee(self, commit: str) -> tuple[str, ...]:
        """Which commit git will ask for after this one, if this one is old and if it is new; without those that are the
        end of the search. Where commits were skipped git may choose others."""
        bad, good = self._marked()
        first = ("--first-parent",) if self.history.first_parent else ()
        found: list[str] = []
        for revisions in ([*bad, *good, f"^{commit}"], [commit, *good]):
            # `--bisect` alone would add the marks that git keeps
            said = self._git("rev-list", "--bisect-vars", *first, *revisions, "--", *self.history.paths)
            found += _MIDDLE.findall(said.stdout.decode())
        return tuple(item for item in dict.fromkeys(found) if item not in (commit, *bad))

    def _marked(self) -> tuple[list[str], list[str]]:
        """(bad, good) as `git rev-list` takes them."""
        said = self._git("for-each-ref", "--format=%(refname) %(objectname)", "refs/bisect/")
        pairs = [line.split() for line in require(said).decode().split("\n") if line]
        bad = [commit for name, commit in pairs if name == f"refs/bisect/{self.terms.new}"]
        good = [f"^{commit}" for name, commit in pairs if name.startswith(f"refs/bisect/{self.terms.old}-")]
        return bad, good

    def open_words(self) -> str:
        """The range that is still open, by subject."""
        commits = self.open_range()
        if not commits:
            return "nothing is open"
        last, first = self.commit(commits[0]).subject, self.commit(commits[-1]).subject
        return f'{len(commits)} commits from "{first}" to "{last}"' if len(commits) > 1 else f'"{first}"'

    def parents(self, commit: str) -> tuple[str, ...]:
        """The commits before one, the first alone where only first parents are walked."""
        found = self.commit(commit).parents
        return found[:1] if self.history.first_parent else found

    def commit(self, commit: str) -> Commit:
        """A commit as a report quotes it."""
        text = require(self._git("show", "-s", "--format=%s%n%an <%ae>%n%ad%n%P", "--date=iso", commit))
        subject, author, date, parents = [*text.decode("utf-8", "replace").split("\n"), "", "", ""][:4]
        return Commit(commit, subject, author, date, tuple(parents.split()))

    def diff(self, one: str, other: str, *options: str) -> bytes:
        """The difference of two commits as a patch, or as `options` say."""
        words = ("diff", "--no-color", "--no-ext-diff", "--no-renames", "--full-index", *(options or ("--binary",)))
        return require(self._git(*words, one, other))

    def paths(self, one: str, other: str) -> list[str]:
        """The files in which two commits differ."""
        return self.diff(one, other, "--name-only", "-z").decode("utf-8", "surrogateescape").split("\0")[:-1]

    def message(self, commit: str) -> str:
        return require(self._git("show", "-s", "--format=%B", commit)).decode("utf-8", "replace")

    def count(self) -> int:
        """How many commits are in question."""
        first = ("--first-parent",) if self.history.first_parent else ()
        span = f"{self.history.good}..{self.history.bad}"
        return int(require(self._git("rev-list", "--count", *first, span, "--", *self.history.paths)) or 0)

    def _git(self, *words: str) -> Finished:
        env = {"GIT_CEILING_DIRECTORIES": str(self.folder.parent)}
        return run_git(self.folder, *words, env=env, cwd=self.folder, stop=self._stop)

    def _read(self, said: Finished) -> Position:
        text = (said.stdout + b"\n" + said.stderr).decode("utf-8", "replace")
        if first := _FIRST.search(text):
            return Position(found=(first[1],))
        if _ONLY_SKIPPED in text:
            return Position(found=tuple(dict.fromkeys(_ID.findall(text.partition(_ONLY_SKIPPED)[2]))))
        if said.status != 0:
            words = [line for line in said.words.splitlines() if not line.startswith("status:")]
            return Position(trouble=" ".join(words) or f"git bisect ended with {said.status}")
        current = self._git("rev-parse", "--verify", "--quiet", "BISECT_HEAD")
        commit = current.stdout.decode().strip()
        if current.status != 0 or not commit:
            raise MachineError(f"git bisect names no next commit: {said.words}")
        left = _LEFT.search(text)
        return Position(next=commit, left=int(left[1]) if left else 0, steps=int(left[2]) if left else 0)
