# SPDX-License-Identifier: GPL-2.0-or-later
"""A range of commits of a user's repository. Its commits are taken as they are: tree, author, message.

Where merges are among them, the range is the line of commits from its base to its head: at a merge the line goes on
with the first parent that holds the base, and the merge is one patch, with all that it brings to that parent. So each
tree of the line is one that somebody wrote, and the tree of the head comes out.

Each one is written as a mail as well, for checkpatch, for reports, and for a source other than the one that the range
begins at. In such a mail no line of the message can be taken for the beginning of a diff or for a header.
"""

import email.utils
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

from kernels.mail.diff import check_path
from kernels.mail.headers import decode
from kernels.mail.mail import Mail
from kernels.mail.thread import MAX_PATCHES
from kernels.patches.patch import CommitObject, Patch, Start
from kernels.source.store import Store
from kernels.source.user_repo import UserRepo, find_repo, pack_objects
from util.errors import UserError
from util.stop import Stop
from util.text import one_line

# Every setting of the user's that would change the form of a diff is overruled.
_FORM = (
    "-p",
    "--binary",
    "--full-index",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--ignore-submodules=none",
)

# What `git mailinfo` takes for the beginning of a diff (mailinfo.c, patchbreak) or, at the top, for a header.
_LOOKS_LIKE_DIFF = re.compile(rb"^(?=diff -|Index: |---(?:\s|$))", re.MULTILINE)
_LOOKS_LIKE_HEADER = re.compile(rb"\A\s*(?=(?:From|Date|Subject|Content-[\w-]+|MIME-Version):|\[PATCH|>?From )")
_NOBODY = b"unknown <unknown@localhost> 946684800 +0000"
_IDENT = re.compile(rb"(.*?) ?<([^<>]*)> (\d{1,11}) ([+-]\d{4})")


@dataclass(frozen=True, slots=True)
class Range:
    """The commits of a range in order, oldest first, each as a patch, and where it begins."""

    start: Start
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True)
class _Commit:
    id: str
    parents: tuple[str, ...]
    made: CommitObject

    def text(self, data: bytes) -> str:
        """A part of the commit as text: in its own encoding, else UTF-8, else Latin-1."""
        own = self.made.encoding.decode("ascii", "replace")
        found = decode(data, own) if own else None
        return found or decode(data, "utf-8") or data.decode("latin-1")


def find_range(repositories: Sequence[Path], begin: str, end: str) -> tuple[UserRepo, str, str] | None:
    """The first repository that knows both ends, with the full ids of both commits."""
    for path in repositories:
        repo = find_repo(path) if path.is_dir() else None
        ends = [repo.rev(name, "commit") for name in (begin, end)] if repo else []
        if repo and ends[0] and ends[1]:
            return repo, ends[0], ends[1]
    return None


def read_range(repositories: Sequence[Path], begin: str, end: str, store: Store, stop: Stop) -> Range:
    """The commits of `begin..end`, from the first repository that knows both. Raises UserError for what is none."""
    shown = f"{begin}..{end}"
    found = find_range(repositories, begin, end)
    if found is None:
        places = " or ".join(str(path.resolve()) for path in repositories)
        raise UserError(f"{shown}: no such file, and no such range of commits in {places}")
    repo, first_id, last_id = found
    return read_commits(repo, first_id, last_id, shown, store, stop)


def read_commits(repo: UserRepo, first: str, last: str, shown: str, store: Store, stop: Stop) -> Range:
    """The commits from `first` (or from where it and `last` part) to `last`, for a range whose repository is known."""
    base = _base(repo, first, last, shown, stop)
    ids = _line(repo, base, last, shown, stop)
    if not ids:
        raise UserError(f"{shown}: holds no patch")
    tree = repo.rev(base, "tree")
    if tree is None:
        raise UserError(f"{shown}: begins at {base[:12]}, which {repo.top} does not hold (a shallow clone)")
    steps = enumerate(pairwise([base, *ids]), 1)
    patches = tuple(
        _patch(repo, number, before, _commit(repo, name, stop), store, stop) for number, (before, name) in steps
    )
    return Range(Start(repo.top, base, tree), patches)


def _base(repo: UserRepo, first: str, last: str, shown: str, stop: Stop) -> str:
    """The commit at which the range begins: the newest that both ends have in common."""
    found = repo.git("merge-base", "--all", first, last, stop=stop).stdout.decode().split()
    if not found:
        raise UserError(
            f"{shown}: its ends have no commit in common to be the base (two histories, or a shallow clone)"
        )
    if len(found) > 1:
        names = " and ".join(sorted(name[:12] for name in found))
        raise UserError(f"{shown}: has no one base, for merges went both ways ({names} are in both ends); begin at one")
    return found[0]


def _line(repo: UserRepo, base: str, last: str, shown: str, stop: Stop) -> list[str]:
    """The commits after `base` up to `last`, oldest first, each of which is a parent of the next."""
    last = repo.rev(last, "commit") or last  # a caller may name it as `COMMIT^`
    if base == last:
        return []
    listed = repo.git("rev-list", "--parents", "--ancestry-path", f"{base}..{last}", stop=stop)
    parents = {name: rest for name, *rest in (line.split() for line in listed.stdout.decode().splitlines())}
    found, at = [], last
    while at != base:
        found.append(at)
        if len(found) > MAX_PATCHES:
            raise UserError(f"{shown}: holds more than {MAX_PATCHES} commits")
        at = next(parent for parent in parents[at] if parent == base or parent in parents)
    return found[::-1]


def _brought(repo: UserRepo, before: str, merge: str, stop: Stop) -> int:
    """How many commits a merge adds to the parent `before`, itself not counted."""
    return int(repo.git("rev-list", "--count", f"{before}..{merge}", stop=stop).stdout) - 1


def _commit(repo: UserRepo, name: str, stop: Stop) -> _Commit:
    raw = repo.git("cat-file", "commit", name, stop=stop).stdout
    head, _, message = raw.partition(b"\n\n")
    lines = [line.partition(b" ") for line in head.split(b"\n") if not line.startswith(b" ")]
    fields = {key: value for key, _, value in reversed(lines)}
    parents = tuple(value.decode() for key, _, value in lines if key == b"parent")
    author = fields.get(b"author", b"")
    author = author if _IDENT.fullmatch(author) else _NOBODY  # old importers wrote some that git refuses by now
    made = CommitObject(name, fields[b"tree"].decode(), author, message, fields.get(b"encoding", b""))
    return _Commit(name, parents, made)


def _patch(repo: UserRepo, number: int, before: str, commit: _Commit, store: Store, stop: Stop) -> Patch:
    """What the commit changes of its parent `before`."""
    stop.check()
    diff = repo.git("diff-tree", *_FORM, before, commit.id, stop=stop).stdout
    listing = repo.git("diff-tree", "-r", "--no-renames", "--name-only", "-z", before, commit.id, stop=stop)
    paths = tuple(sorted(filter(None, os.fsdecode(listing.stdout).split("\0"))))
    for path in paths:
        try:
            check_path(path)
        except UserError as error:
            raise UserError(f"commit {commit.id[:12]}: {error}") from None
    ids = store.run("patch-id", "--stable", data=diff, stop=stop).stdout.split()
    author, when = _author(commit)
    subject, _, message = commit.text(commit.made.message).lstrip("\n").partition("\n\n")
    subject = one_line(subject)
    body = _safe(message.strip("\n").encode("utf-8"))
    mail = Mail(
        where=f"commit {commit.id[:12]}",
        subject=f"[PATCH] {subject}",
        sender=author,
        date=when,
        message_id="",
        answers=(),
        body=(body + b"\n" if body else b"") + (b"---\n\n" + diff if diff else b""),
        whole=True,
    )
    return Patch(
        number=number,
        subject=subject or "(no subject)",
        message_id="",
        patch_id=ids[0].decode() if ids else commit.id,
        author=author,
        mail=mail.mbox(),
        paths=paths,
        made=commit.made,
        merges=_brought(repo, before, commit.id, stop) if len(commit.parents) > 1 else 0,
    )


def _author(commit: _Commit) -> tuple[str, str]:
    """(`Name <mail>`, date) of a commit."""
    match = _IDENT.fullmatch(commit.made.author)
    assert match is not None  # `_commit` sees to it
    name, address = (one_line(commit.text(part)) for part in match.groups()[:2])
    minutes = int(match[4][1:3]) * 60 + int(match[4][3:])
    zone = timezone((-1 if match[4].startswith(b"-") else 1) * timedelta(minutes=min(minutes, 1439)))
    try:
        when = datetime.fromtimestamp(int(match[3]), zone)
    except (ValueError, OverflowError, OSError):
        when = datetime.fromtimestamp(0, UTC)
    return f"{name or address} <{address}>", email.utils.format_datetime(when)


def _safe(message: bytes) -> bytes:
    """The message with a blank before each line that a reader of mails would take for something else."""
    return _LOOKS_LIKE_DIFF.sub(b" ", _LOOKS_LIKE_HEADER.sub(b" ", message))


def bring_commits(start: Start, patches: Sequence[Patch], store: Store, whole: bool, stop: Stop) -> None:
    """Copy into the store what applying the commits needs: with `whole`, everything that their trees hold beyond the
    tree that they begin at; else only the files that they change, as they were before, for three-way merges."""
    repo = find_repo(start.repository)
    trees = [patch.made.tree for patch in patches if patch.made]
    if repo is None:
        raise UserError(f"{start.repository}: is no longer a git repository")
    with store.importing(stop) as lock:
        if whole:
            pack_objects(repo, [*dict.fromkeys(trees), f"^{start.tree}"], store, ["--revs"], stop, lock.fd)
        elif blobs := _old_blobs(repo, [start.tree, *trees], stop):
            pack_objects(repo, blobs, store, [], stop, lock.fd)


def _old_blobs(repo: UserRepo, trees: Sequence[str], stop: Stop) -> list[str]:
    found: set[str] = set()
    for before, after in pairwise(trees):
        raw = repo.git("diff-tree", "-r", "--raw", "--no-abbrev", "--no-renames", "-z", before, after, stop=stop).stdout
        fields = [word.split() for word in raw.split(b"\0") if word.startswith(b":")]
        found |= {field[2].decode() for field in fields if field[0] not in (b":000000", b":160000")}
    return sorted(found)
