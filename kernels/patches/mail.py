# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails as they come from a mailbox, and the one plain form in which the rig hands them on.

A mail from a list is untrusted. It is decoded once, here; what follows (`git mailinfo`, the checks, `git am`) sees the
result only, so no two parsers can read one mail in two ways.
"""

import email.errors
import email.header
import email.message
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32

from kernels.patches.diff import scan
from util.errors import UserError

MAX_BYTES = 64 << 20
"""Of one mailbox. The largest series on the kernel's lists are a few megabytes; this is a wall, not a measure."""
MAX_PARTS = 100
"""MIME parts of one mail."""

# The line that starts a mail in a mailbox: `From `, something, a time of day, a year (RFC 4155; git writes the same).
_SEPARATOR = re.compile(rb"From .*\d\d?:\d\d(?::\d\d)?\b.*\b\d{4}\b.*")
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:|>From ")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_DIFF = re.compile(rb"^(?:diff --(?:git|cc|combined) |Index: |--- \S[^\n]*\n\+\+\+ \S)", re.MULTILINE)
_BREAK = re.compile(rb"^(?:---\r?\n|diff -|Index: |--- \S)", re.MULTILINE)
_EPOCH = "Sat, 01 Jan 2000 00:00:00 +0000"


@dataclass(frozen=True, slots=True)
class Mail:
    """One decoded mail. Headers are text without line ends; `body` is the text part, UTF-8 up to the diff and the
    diff's own bytes from there on."""

    where: str
    subject: str
    sender: str
    date: str
    message_id: str
    is_answer: bool
    """In-Reply-To or References names another mail."""
    body: bytes
    warnings: tuple[str, ...] = ()

    @property
    def has_diff(self) -> bool:
        return _DIFF.search(self.body) is not None

    def plain(self) -> bytes:
        """The mail as `git mailinfo` takes it: three headers, 8 bit, UTF-8. Transport headers are gone."""
        head = [
            f"From: {self.sender}",
            f"Date: {self.date}",
            f"Subject: {self.subject or '(no subject)'}",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=UTF-8",
            "Content-Transfer-Encoding: 8bit",
        ]
        body = self.body[: scan(self.body).end or None]  # what follows the diff is a signature or the list's footer
        return "\n".join(head).encode("utf-8", "replace") + b"\n\n" + body + (b"" if body.endswith(b"\n") else b"\n")

    def mbox(self) -> bytes:
        """The same as one mail of a mailbox in mboxrd form, in which no text can pass for a separator."""
        return b"From " + b"0" * 40 + b" Mon Sep 17 00:00:00 2001\n" + _FROM.sub(rb">\1", self.plain())


def split(data: bytes, where: str) -> list[bytes]:
    """The raw mails of a mailbox; one mail alone needs no separator. Raises UserError if it is too big."""
    if len(data) > MAX_BYTES:
        raise UserError(f"{where}: is larger than {MAX_BYTES >> 20} MiB, which no patch series is")
    lines = data.splitlines(keepends=True) if b"\r" not in data else _lines(data)
    starts = [index for index in range(len(lines)) if _is_start(lines, index)]
    if not starts:
        return [data] if data.strip() else []
    mails = [b"".join(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    before = b"".join(lines[: starts[0]])
    return [before, *mails] if before.strip() else mails


def _lines(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + [line for line in data.split(b"\n")[-1:] if line]


def _is_start(lines: list[bytes], index: int) -> bool:
    if not lines[index].startswith(b"From ") or not _SEPARATOR.match(lines[index]):
        return False
    after_gap = index == 0 or not lines[index - 1].strip()
    return after_gap and index + 1 < len(lines) and _HEADER.match(lines[index + 1]) is not None


def parse(raw: bytes, where: str) -> list[Mail]:
    """The mail, or the mails that it carries as attached patch files. Raises UserError for what cannot be read."""
    try:
        return _parse(raw, where)
    except (RecursionError, email.errors.MessageError) as error:
        raise UserError(f"{where}: cannot be read as a mail ({type(error).__name__})") from None


def _parse(raw: bytes, where: str) -> list[Mail]:
    mailbox = raw.startswith(b"From ")
    made_by_git = re.match(rb"From [0-9a-f]{40} Mon Sep 17 00:00:00 2001\r?\n", raw) is not None
    if mailbox:
        raw = raw.partition(b"\n")[2]
    message = BytesParser(policy=compat32).parsebytes(raw)
    texts: list[tuple[bytes, str]] = []
    attached: list[tuple[bytes, str]] = []
    for part in _leaves(message, where):
        kind = part.get_content_type()
        data = _payload(part)
        if kind in ("text/x-patch", "text/x-diff") or part.get_filename("").endswith((".patch", ".diff")):
            attached.append((data, _charset(part)))
        elif kind == "text/plain":
            texts.append((data, _charset(part)))
    mails = [b"From " in data[:5] or _looks_like_mail(data) for data, _charset_name in attached]
    if attached and all(mails):
        return [mail for data, _name in attached for mail in _parse(data, where)]
    body, warnings = _join(texts, attached, where)
    if mailbox and not made_by_git and _is_plain(message):
        body = _QUOTED_FROM.sub(rb"\1", body)
    sender = _header(message, "From")
    return [
        Mail(
            where=where,
            subject=_header(message, "Subject"),
            sender=sender,
            date=_date(_header(message, "Date")),
            message_id=_header(message, "Message-ID").strip("<> "),
            is_answer=bool(_header(message, "In-Reply-To") or _header(message, "References")),
            body=body,
            warnings=warnings,
        )
    ]


def _leaves(message: "email.message.Message[str, str]", where: str) -> Iterator["email.message.Message[str, str]"]:
    for count, part in enumerate(message.walk()):
        if count >= MAX_PARTS:
            raise UserError(f"{where}: a mail of more than {MAX_PARTS} parts")
        if not part.is_multipart():
            yield part


def _is_plain(message: "email.message.Message[str, str]") -> bool:
    encoding = str(message.get("Content-Transfer-Encoding", "")).strip().lower()
    return not message.is_multipart() and encoding in ("", "7bit", "8bit", "binary")


def _looks_like_mail(data: bytes) -> bool:
    head = data.split(b"\n\n", 1)[0].replace(b"\r\n", b"\n")
    return re.search(rb"^From: ", head, re.MULTILINE) is not None and b"\nSubject: " in b"\n" + head


def _payload(part: "email.message.Message[str, str]") -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _charset(part: "email.message.Message[str, str]") -> str:
    value = part.get_param("charset", "")
    return (value[2] if isinstance(value, tuple) else value or "").strip().lower()


def _join(
    texts: list[tuple[bytes, str]], attached: list[tuple[bytes, str]], where: str
) -> tuple[bytes, tuple[str, ...]]:
    """The part with the diff, or the text followed by the attached diff."""
    warnings: list[str] = []
    decoded = [_text(data, charset, where, warnings) for data, charset in texts]
    with_diff = [data for data in decoded if _DIFF.search(data)]
    if with_diff:
        return with_diff[0], tuple(warnings)
    if len(attached) > 1:
        raise UserError(f"{where}: two diffs are attached to one mail; send each patch in a mail of its own")
    text = decoded[0] if decoded else b""
    if not attached:
        return text, tuple(warnings)
    diff = _unix(attached[0][0])
    return (text if re.search(rb"^---\n", text, re.MULTILINE) else text.rstrip() + b"\n---\n") + diff, tuple(warnings)


def _text(data: bytes, charset: str, where: str, warnings: list[str]) -> bytes:
    """The message in UTF-8; from the diff on the bytes stay what they are, as `git mailinfo` leaves them."""
    data = _unix(data)
    if b"\0" in data:
        raise UserError(f"{where}: holds NUL bytes: it is not the text of a mail")
    found = _BREAK.search(data)
    cut = found.start() if found else len(data)
    for name in dict.fromkeys((charset, "utf-8") if charset not in ("", "us-ascii", "ascii") else ("utf-8",)):
        try:
            return data[:cut].decode(name).encode("utf-8") + data[cut:]
        except (UnicodeError, LookupError):
            continue
    if charset and charset not in ("us-ascii", "ascii", "utf-8", "utf8"):
        raise UserError(f"{where}: the text is neither valid {charset} nor UTF-8")
    warnings.append(f"{where}: the text is not valid UTF-8; taken as Latin-1")
    return data[:cut].decode("latin-1").encode("utf-8") + data[cut:]


def _unix(data: bytes) -> bytes:
    """Without the carriage returns of the transport. Those that belong to a patched file are kept: then the diff's own
    header lines have none."""
    header = re.search(rb"^(?:diff --git |@@ -|--- )[^\n]*\n", data, re.MULTILINE)
    sample = header.group() if header else data.partition(b"\n")[0] + b"\n"
    return data.replace(b"\r\n", b"\n") if sample.endswith(b"\r\n") else data


def _header(message: "email.message.Message[str, str]", name: str) -> str:
    """A header as one line of text, encoded words decoded (RFC 2047); nothing if it is absent."""
    raw = message.get(name)
    if raw is None:
        return ""
    try:
        text = str(email.header.make_header(email.header.decode_header(raw)))
    except (LookupError, UnicodeError, ValueError, email.errors.MessageError):
        text = str(raw)
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _date(text: str) -> str:
    """A date that git understands. Without one `git am` would take today's, and no two runs would give one commit."""
    try:
        return email.utils.format_datetime(email.utils.parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return _EPOCH
