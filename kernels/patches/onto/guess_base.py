# SPDX-License-Identifier: GPL-2.0-or-later
"""Which revision of a repository a series was made for: the one that has most of the blobs that its diffs name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernels.patches.onto.fit import files_of
from kernels.patches.patch import Series
from kernels.source.user_repo import UserRepo
from util.errors import UserError
from util.stop import Stop

MAX_COMMITS = 3000
"""That changed one of the files, the newest first, are looked at."""
MAX_NAMES = 300
"""Branches and tags that are looked at, the newest first."""


@dataclass(frozen=True, slots=True)
class GuessedBase:
    """`commit` has the blobs of `matched` of `total` files."""

    commit: str
    matched: int
    total: int


def guess_base(repo: UserRepo, revision: str, series: Series, stop: Stop) -> GuessedBase:
    """The revision that fits best; of equal ones `revision` itself, then the newest branch or tag, then the newest
    commit. Raises UserError where the series names no blob, or no revision has any of them."""
    wanted = wanted_blobs(series)
    if not wanted:
        raise UserError(f"{series.origin}: names no blob to guess a base from (a diff without `index` lines)")
    best = GuessedBase("", 0, len(wanted))
    for commit, matched in _scores(repo, _candidates(repo, revision, list(wanted), stop), wanted, stop):
        if matched > best.matched:
            best = GuessedBase(commit, matched, len(wanted))
    if not best.matched:
        raise UserError(f"{series.origin}: no revision of {repo.top} has a file that it was made for")
    return best


def wanted_blobs(series: Series) -> dict[str, str]:
    """The blob, abbreviated as the diff has it, of each file as it is before the series; new files have none."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for patch in series.patches:
        for file in files_of(patch.mail):
            if file.path not in seen and file.blob:
                found[file.path] = file.blob
        seen |= set(patch.paths)
    return found


def _candidates(repo: UserRepo, revision: str, paths: Sequence[str], stop: Stop) -> list[str]:
    fmt = "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    names = repo.git(
        "for-each-ref", "--sort=-creatordate", f"--count={MAX_NAMES}", fmt, "refs/heads", "refs/remotes", "refs/tags",
        stop=stop,
    ).stdout.decode().split()  # fmt: skip
    head = repo.rev(revision, "commit")
    walk = ("rev-list", f"--max-count={MAX_COMMITS}", "--all", *([head] if head else []), "--", *paths)
    commits = repo.git(*walk, stop=stop).stdout.decode().split()
    return list(dict.fromkeys([*([head] if head else []), *names, *commits]))


def _scores(repo: UserRepo, commits: Sequence[str], wanted: Mapping[str, str], stop: Stop) -> list[tuple[str, int]]:
    """(commit, how many of the files have the wanted blob there)."""
    asked = [(commit, path) for commit in commits for path in wanted if "\n" not in path]
    data = "".join(f"{commit}:{path}\n" for commit, path in asked).encode("utf-8", "surrogateescape")
    told = repo.git("cat-file", "--batch-check=%(objectname)", data=data, stop=stop).stdout.splitlines()
    scores = dict.fromkeys(commits, 0)
    for (commit, path), line in zip(asked, told, strict=False):
        scores[commit] += line.decode("ascii", "replace").startswith(wanted[path]) and not line.endswith(b" missing")
    return list(scores.items())
