# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails for the tests of series: real diffs against the fake tree, in the forms that lists and clients use."""

import base64
import quopri
from email.header import Header
from pathlib import Path

from tests.faketree import changed, commit, git, make_repo

SEPARATOR = b"From git@z Thu Jan  1 00:00:00 1970\n"


def write_series(folder: Path, count: int = 3) -> Path:
    """A repository with `count` commits on top of the fake tree, tagged `start`; each changes one line."""
    repo = make_repo(folder)
    git(repo, "tag", "start")
    for number in range(1, count + 1):
        lines = [10 * step for step in range(1, number + 1)]
        commit(
            repo, f"seccomp: change {number}\n\nWhy: number {number}, für Jörg.", {"kernel/seccomp.c": changed(*lines)}
        )
    return repo


def diff_of(repo: Path, number: int) -> str:
    """The diff of one of those commits."""
    count = len(git(repo, "rev-list", "start..main").split())
    return git(repo, "diff", f"main~{count - number + 1}", f"main~{count - number}")


def mail(
    subject: str,
    body: str,
    *,
    sender: str = "Jörg Tester <joerg@example.org>",
    encoding: str = "8bit",
    charset: str = "UTF-8",
    crlf: bool = False,
    separator: bool = True,
    headers: str = "",
) -> bytes:
    """One mail as a client writes it."""
    data = body.encode(charset)
    if crlf:
        data = data.replace(b"\n", b"\r\n")
    if encoding == "base64":
        data = base64.encodebytes(data)
    elif encoding == "quoted-printable":
        data = quopri.encodestring(data)
    head = (
        f"From: {Header(sender.partition(' <')[0], 'utf-8').encode()} <{sender.partition(' <')[2]}\n"
        f"Subject: {Header(subject, None if subject.isascii() else 'utf-8', 70, 'Subject').encode()}\n"
        f"Date: Fri, 9 Oct 2020 12:14:29 -0500\n"
        f"Message-ID: <{abs(hash((subject, body)))}@example.org>\n"
        f"MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n"
        f"Content-Transfer-Encoding: {encoding}\n{headers}\n"
    ).encode()
    head = head.replace(b"\n", b"\r\n") if crlf else head
    return (SEPARATOR if separator else b"") + head + data + (b"\r\n" if crlf else b"\n")


def patch_mail(repo: Path, number: int, total: int = 3, *, tag: str = "PATCH", **options: object) -> bytes:
    """The mail of one commit of `write_series`."""
    body = f"Why: number {number}, für Jörg.\n\nSigned-off-by: Jörg Tester <joerg@example.org>\n---\n one line\n\n"
    subject = f"[{tag} {number}/{total}] seccomp: change {number}"
    return mail(subject, body + diff_of(repo, number), **options)  # type: ignore[arg-type]
