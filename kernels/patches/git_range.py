# SPDX-License-Identifier: GPL-2.0-or-later
"""A range of commits of a user's repository as the mails that `git format-patch` makes of it."""

from collections.abc import Sequence
from pathlib import Path

from kernels.source.store import Store
from kernels.source.user_repo import UserRepo, find_repo, pack_objects
from util.errors import UserError
from util.stop import Stop

# Every setting of the user's that would change the form of the mails is overruled.
_FORM = (
    "--stdout",
    "--no-numbered",
    "--no-signature",
    "--no-cover-letter",
    "--no-attach",
    "--no-thread",
    "--no-to",
    "--no-cc",
    "--no-add-header",
    "--no-from",
    "--no-notes",
    "--no-base",
    "--no-signoff",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-stat",
    "--subject-prefix=PATCH",
    "--encoding=UTF-8",
    "--pretty=mboxrd",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--full-index",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--ignore-submodules=none",
)


def start_inside(folder: Path, first: str, last: str) -> str | None:
    """The full id of the commit that `first..last` starts from, if the checkout in `folder` holds the whole range.

    A series cannot be applied to a tree that has it: then the commit before it is what it is compared with.
    """
    repo = find_repo(folder)
    if repo is None:
        return None
    start, end = repo.rev(first, "commit"), repo.rev(last, "commit")
    if start is None or end is None:
        return None
    return start if repo.git("merge-base", "--is-ancestor", end, "HEAD").status == 0 else None


def read_range(repositories: Sequence[Path], first: str, last: str, store: Store, stop: Stop) -> bytes:
    """The mailbox of `first..last`, from the first repository that knows both. What the patches start from is copied
    into the store, so that they can be merged. Raises UserError."""
    shown = f"{first}..{last}"
    for path in repositories:
        repo = find_repo(path) if path.is_dir() else None
        ends = [repo.rev(name, "commit") for name in (first, last)] if repo else []
        if repo and all(ends):
            return _format(repo, f"{ends[0]}..{ends[1]}", shown, store, stop)
    places = " or ".join(str(path.resolve()) for path in repositories)
    raise UserError(f"{shown}: no such file, and no such range of commits in {places}")


def _format(repo: UserRepo, commits: str, shown: str, store: Store, stop: Stop) -> bytes:
    merges = repo.git("rev-list", "--merges", "--max-count=1", commits, stop=stop).stdout.decode().strip()
    if merges:
        raise UserError(f"{shown}: holds the merge {merges[:12]}; a series is linear (git rebase makes it so)")
    if not repo.git("rev-list", "--max-count=1", commits, stop=stop).stdout.strip():
        raise UserError(f"{shown}: holds no patch")
    made = repo.git("format-patch", *_FORM, commits, stop=stop)
    if made.status != 0:
        raise UserError(f"{shown}: git cannot write it as patches: {made.words}")
    _bring_bases(repo, commits, store, stop)
    return made.stdout


def _bring_bases(repo: UserRepo, commits: str, store: Store, stop: Stop) -> None:
    """Copy the files that the patches change, as they were before."""
    log = repo.git("log", "--format=", "--raw", "-r", "--no-abbrev", "--no-renames", "-z", commits, stop=stop).stdout
    fields = [word.split() for word in log.split(b"\0") if word.startswith(b":")]
    blobs = {field[2].decode() for field in fields if field[0] not in (b":000000", b":160000")}
    if blobs:
        with store.importing(stop) as lock:
            pack_objects(repo, sorted(blobs), store, [], stop, lock.fd)
