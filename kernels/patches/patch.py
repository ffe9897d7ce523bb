# SPDX-License-Identifier: GPL-2.0-or-later
"""A series: an ordered set of patches, and what names its content."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from kernels.mail.mail import Mail
from util.errors import UserError
from util.text import counted


@dataclass(frozen=True, slots=True)
class CommitObject:
    """What a commit of a range is made of: its id, tree, author line (`Name <mail> seconds zone`) and message, as they
    stand in the commit object; `encoding` is that of both texts, empty for UTF-8."""

    commit: str
    tree: str
    author: bytes
    message: bytes
    encoding: bytes = b""


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch. `subject` is without the `[...]` prefix, `author` is `Name <address>`, `mail` one mail in mboxrd form
    as `git am --patch-format=mboxrd` takes it, `paths` every file that it touches; `made` is there for a commit.
    `recipients` are the addresses of To and Cc of the mail that it came in; `merges` is the number of commits that a
    merge brings, 0 for any other patch."""

    number: int
    subject: str
    message_id: str
    patch_id: str
    author: str
    mail: bytes = field(repr=False)
    paths: tuple[str, ...]
    made: CommitObject | None = field(default=None, repr=False)
    recipients: tuple[str, ...] = ()
    merges: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """Where a range of commits begins: the repository that holds it, the commit before its first, and that one's
    tree."""

    repository: Path
    commit: str
    tree: str


PATCH_ID, MESSAGE_ID = "patch-id", "message-id"
"""How mails name a patch that a series builds on: behind `prerequisite-`."""


@dataclass(frozen=True, slots=True)
class BaseTreeInfo:
    """The base that a series names in its mails (git format-patch --base): a commit, and what must be on it before, as
    (PATCH_ID or MESSAGE_ID, name) in order. Empty where it names none."""

    commit: str = ""
    before: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """`origin` is the spec, `title` the cover letter's subject or that of the first patch; `start` is there for a range
    of commits; `beside` are the other mails of its mailbox, kept where the series builds on patches."""

    origin: str
    title: str
    version: int
    patches: tuple[Patch, ...]
    warnings: tuple[str, ...] = ()
    start: Start | None = None
    asked: BaseTreeInfo = BaseTreeInfo()
    beside: tuple[Mail, ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        """Names what `git am` makes of the patches: authors, dates, messages and diffs, not how they came."""
        return digest_of(self.patches)


def digest_of(patches: Iterable[Patch]) -> str:
    """SHA-256 over the patches' mails, in hex."""
    total = hashlib.sha256()
    for patch in patches:
        total.update(hashlib.sha256(patch.mail).digest())
    return total.hexdigest()


def first(series: Series, patches: int | None) -> Series:
    """The series cut to its first `patches` patches. Raises UserError if it has fewer."""
    if patches is None:
        return series
    if patches > len(series.patches):
        raise UserError(f"{series.origin}: has {counted(len(series.patches), 'patch')}, not {patches}")
    return replace(series, patches=series.patches[:patches])
