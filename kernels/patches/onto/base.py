# SPDX-License-Identifier: GPL-2.0-or-later
"""Which base a series is applied to: its own, where the source has it, and else the source as it was named.

A range of commits has a base of its own, the commit before its first. Mails may name one: `base-commit:`, as
`git format-patch --base` and b4 write it. Where the base is not what a user may expect, one line says so.
"""

from dataclasses import dataclass
from pathlib import Path

from kernels.patches.onto.guess_base import guess_base
from kernels.patches.patch import Series
from kernels.source.kinds.git_revision import parts
from kernels.source.resolve import Source
from kernels.source.user_repo import UserRepo, find_repo
from util.errors import UserError
from util.stop import Stop


@dataclass(frozen=True, slots=True)
class ChosenBase:
    """The spec of the source that is the base, and the lines that say why."""

    spec: str
    notes: tuple[str, ...] = ()


def guessed_base(source: str, series: Series, stop: Stop) -> ChosenBase:
    """The revision of a git source that the series fits best. Raises UserError where there is none to guess."""
    place = source_place(source)
    if place is None:
        raise UserError(f"--guess-base looks through the history of a git source, and {source} is none")
    repo, revision = place
    guess = guess_base(repo, revision, series, stop)
    files = f"{guess.matched} of {guess.total} files are"
    note = f"base is {repo.describe(guess.commit)}, where {files} what the series was made for"
    return ChosenBase(_spec(repo, guess.commit), (note,))


def choose_base(source: str, series: Series | None, *, keep: bool = False) -> ChosenBase:
    """The base for a series. With `keep` it is the source as it was named, whatever the series says."""
    if series is None:
        return ChosenBase(source)
    return _of_range(source, series, keep) if series.start else _of_mails(source, series, keep)


def _of_mails(source: str, series: Series, keep: bool) -> ChosenBase:
    if not series.asked.commit:
        return ChosenBase(source)
    named = series.asked.commit[:12]
    place = source_place(source)
    commit = place[0].rev(series.asked.commit, "commit") if place else None
    if place is None or commit is None:
        why = f"{source} does not have" if place else f"{source}, not being a git repository, cannot show"
        return ChosenBase(source, (f"the series names the base {named}, which {why}; it is applied to the source",))
    repo, revision = place
    if repo.rev(revision, "commit") == commit:
        return ChosenBase(source)
    there, asked = repo.describe(repo.rev(revision, "commit") or revision), repo.describe(commit)
    if keep:
        return ChosenBase(source, (f"the series names the base {asked}; as you asked, it is applied to {there}",))
    return ChosenBase(_spec(repo, commit), (f"base is {asked}, which the series names; the source is at {there}",))


def _of_range(source: str, series: Series, keep: bool) -> ChosenBase:
    assert series.start is not None
    place, home = source_place(source), find_repo(series.start.repository)
    if place is None or home is None or home.common() != place[0].common():
        return ChosenBase(source)
    repo, revision = place
    head = repo.rev(revision, "commit")
    if head == series.start.commit and source.startswith("git:"):
        return ChosenBase(source)
    if head == series.start.commit and _is_clean(repo):
        return ChosenBase(source)
    begin, there = repo.describe(series.start.commit), repo.describe(head or revision)
    if keep:
        return ChosenBase(source, (f"{series.origin} begins at {begin}; as you asked, it is applied to {there}",))
    at = f"which has changes on {there}" if head == series.start.commit else f"which is at {there}"
    note = f"base is {begin}, where {series.origin} begins, and not the source, {at}"
    return ChosenBase(_spec(repo, series.start.commit), (note,))


def foreign_tree(series: Series, source: Source) -> str:
    """What is to be said of a range that begins at another tree than the source's; nothing if there is nothing."""
    if series.start is None or series.start.tree == source.tree:
        return ""
    begin = series.start.commit[:12]
    return f"{series.origin} begins at {begin}, another tree than {source.title}: its commits are applied as patches"


def _spec(repo: UserRepo, commit: str) -> str:
    return f"git:{repo.top}@{commit}"


def source_place(source: str) -> tuple[UserRepo, str] | None:
    """The repository on this machine that a source is a revision or the working tree of, and the revision."""
    folder, revision = parts(source.removeprefix("git:")) if source.startswith("git:") else (source, "HEAD")
    path = Path(folder).expanduser()
    repo = find_repo(path) if folder and path.is_dir() else None
    if repo is None or (not source.startswith("git:") and repo.top.resolve() != path.resolve()):
        return None
    return repo, revision


def _is_clean(repo: UserRepo) -> bool:
    return not repo.git("status", "--porcelain", "--untracked-files=normal").stdout.strip()
