# SPDX-License-Identifier: GPL-2.0-or-later
"""One mail, and the one plain form in which the rig hands it on.

A mail from a list is untrusted. It is decoded once, here; what follows (`git mailinfo`, the checks, `git am`) sees the
result only, so no two parsers can read one mail in two ways. The result is that of `git mailinfo` on the mail itself.
"""

import email.errors
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32
from functools import lru_cache

from kernels.mail.diff import scan
from kernels.mail.headers import Part, addresses, date, decode, header, headers, is_charset, sender
from util.errors import UserError

MAX_PARTS = 100
"""MIME parts of one mail."""
MAX_FIELD = 16 << 10
"""Bytes of a header that describes a part; the parser of such headers takes quadratic time."""
MAX_HEAD = 128 << 10
"""Bytes of all headers of a mail; five hundred recipients and every stamp of the transport come to half of it."""
MAX_TEXT = 4000
"""Characters of a subject or an author; git takes quadratic time for what stands in brackets."""

_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_DIFF = re.compile(rb"^(?:diff --(?:git|cc|combined) |Index: |--- \S[^\n]*\n\+\+\+ \S)", re.MULTILINE)
_BREAK = re.compile(rb"^(?:---\r?\n|diff -|Index: |--- \S)", re.MULTILINE)
_HEAD = re.compile(rb"[!-9;-~]+[ \t]*:")
_BOUNDARY = re.compile(rb"boundary=[\"']?([^\"'\s;]{1,80})", re.IGNORECASE)
_ASCII = ("", "us-ascii", "ascii")

# What the standard library's mail parser raises on mails that somebody made to break it.
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Mail:
    """One decoded mail. Headers are text without line ends; `body` is the text, UTF-8 up to the diff and the diff's own
    bytes from there on."""

    where: str
    subject: str
    sender: str
    date: str
    message_id: str
    answers: tuple[str, ...]
    """The message-ids that In-Reply-To and References name, the nearest first."""
    body: bytes
    warnings: tuple[str, ...] = ()
    whole: bool = False
    """Nothing stands below the diff, which may be binary: it came from git itself."""
    recipients: tuple[str, ...] = ()
    """The addresses of To and Cc."""

    @property
    def is_answer(self) -> bool:
        return bool(self.answers)

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
        body = self.body if self.whole else _to_the_end_of_the_diff(self.body)
        return "\n".join(head).encode("utf-8", "replace") + b"\n\n" + body + (b"" if body.endswith(b"\n") else b"\n")

    def mbox(self) -> bytes:
        """The same as one mail of a mailbox in mboxrd form, in which no text can pass for a separator."""
        return b"From " + b"0" * 40 + b" Mon Sep 17 00:00:00 2001\n" + _FROM.sub(rb">\1", self.plain())


@lru_cache(maxsize=4)
def _to_the_end_of_the_diff(body: bytes) -> bytes:
    """What follows the diff is a signature or the list's footer."""
    return body[: scan(body).end or None]


def parse(raw: bytes, where: str) -> list[Mail]:
    """The mail, or the mails that it carries as attached patch files. Raises UserError for what cannot be read."""
    try:
        return _parse(raw, where)
    except (*_BROKEN, email.errors.MessageError) as error:
        raise UserError(f"{where}: cannot be read as a mail ({type(error).__name__})") from None


def _parse(raw: bytes, where: str) -> list[Mail]:
    mailbox = raw.startswith(b"From ")
    made_by_git = re.match(rb"From [0-9a-f]{40} Mon Sep 17 00:00:00 2001\r?\n", raw) is not None
    message = BytesParser(policy=compat32).parsebytes(_checked(_without_from_lines(raw), where))
    texts: list[bytes] = []
    attached: list[bytes] = []
    warnings: list[str] = []
    for part in _leaves(message, where):
        kind = part.get_content_type()
        data = _payload(part)
        if kind in ("text/x-patch", "text/x-diff") or part.get_filename("").endswith((".patch", ".diff")):
            attached.append(data)
        elif kind == "text/plain":
            texts.append(_text(_unflowed(part, _unix(data)), _charset(part, where), where, warnings))
    if attached and all(b"From " in data[:5] or looks_like_mail(data) for data in attached):
        return [mail for data in attached for mail in _parse(data, where)]
    body = _join(texts, attached, where)
    if mailbox and not made_by_git and _is_plain(message):
        body = _QUOTED_FROM.sub(rb"\1", body)
    when, readable = date(written := header(message, "Date"))
    if written and not readable:
        warnings.append(f"{where}: the date {written[:60]!r} cannot be read; taken as {when}")
    subject, author = header(message, "Subject"), sender(message)
    if max(len(subject), len(author)) > MAX_TEXT:
        raise UserError(f"{where}: a subject or author of {max(len(subject), len(author))} characters")
    return [
        Mail(
            where=where,
            subject=subject,
            sender=author,
            date=when,
            message_id=header(message, "Message-ID").strip("<> "),
            answers=_answers(message),
            body=body,
            warnings=tuple(warnings),
            recipients=_recipients(message),
        )
    ]


def _recipients(message: Part) -> tuple[str, ...]:
    lines = (line for name in ("To", "Cc") for line in headers(message, name))
    return tuple(dict.fromkeys(address for line in lines for address in addresses(line)))


def _without_from_lines(raw: bytes) -> bytes:
    """Without the separator of the mailbox and the `>From ` lines that some archives leave among the headers."""
    position = 0
    head: list[bytes] = []
    while position < len(raw):
        end = raw.find(b"\n", position) + 1 or len(raw)
        line = raw[position:end]
        if not line.strip():
            break
        if not line.startswith((b"From ", b">From ")):
            head.append(line)
        position = end
    return b"".join(head) + raw[position:]


def _checked(raw: bytes, where: str) -> bytes:
    """Refuses what the standard library's parser would take minutes for."""
    head = raw[: min((at for gap in (b"\n\n", b"\n\r\n") if (at := raw.find(gap)) >= 0), default=len(raw))]
    if len(head) > MAX_HEAD and _HEAD.match(head):
        raise UserError(f"{where}: a mail with {len(head) >> 10} KiB of headers")
    nested = b"multipart" in head.lower()
    for field in re.split(rb"\n(?![ \t])", raw if nested else head):
        if len(field) > MAX_FIELD and field[:8].lower() == b"content-":
            raise UserError(f"{where}: holds a Content header of {len(field)} bytes")
    if nested:
        names = {name for name in _BOUNDARY.findall(raw) if name}
        if len(names) > MAX_PARTS or sum(raw.count(b"\n--" + name) for name in names) > 2 * MAX_PARTS:
            raise UserError(f"{where}: a mail of more than {MAX_PARTS} parts")
    return raw


def _answers(message: Part) -> tuple[str, ...]:
    words = header(message, "In-Reply-To"), *reversed(header(message, "References").split())
    found = [name for text in words for name in re.findall(r"<([^<>\s]+)>", text)]
    if not found and any(words):
        return tuple(word for word in words if word)[:1]
    return tuple(dict.fromkeys(found))


def _leaves(message: Part, where: str) -> Iterator[Part]:
    for count, part in enumerate(message.walk()):
        if count >= MAX_PARTS:
            raise UserError(f"{where}: a mail of more than {MAX_PARTS} parts")
        if not part.is_multipart():
            yield part


def _is_plain(message: Part) -> bool:
    encoding = str(message.get("Content-Transfer-Encoding", "")).strip().lower()
    return not message.is_multipart() and encoding in ("", "7bit", "8bit", "binary")


def looks_like_mail(data: bytes) -> bool:
    """Whether a file begins with the headers of a mail."""
    head = data.split(b"\n\n", 1)[0].replace(b"\r\n", b"\n")
    return re.search(rb"^From: ", head, re.MULTILINE) is not None and b"\nSubject: " in b"\n" + head


def _payload(part: Part) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _charset(part: Part, where: str) -> str:
    value = part.get_param("charset", "")
    name = (value[2] if isinstance(value, tuple) else value or "").strip().lower()
    if name and not is_charset(name):
        raise UserError(f"{where}: names no charset: {name[:60]!r}")
    return name


def _parameter(part: Part, name: str) -> str:
    value = part.get_param(name, "")
    return value.lower() if isinstance(value, str) else ""


def _unflowed(part: Part, data: bytes) -> bytes:
    """format=flowed (RFC 3676) undone as git's mailinfo.c does it (handle_filter_flowed)."""
    if _parameter(part, "format") != "flowed":
        return data
    cut = -1 if _parameter(part, "delsp") == "yes" else None
    lines: list[bytes] = []
    held: list[bytes] = []
    for line in data.split(b"\n"):
        if line == b"-- ":
            lines += [b"".join(held)] if held else []
            lines.append(line)
            held = []
            continue
        text = line.removeprefix(b" ")
        if text.endswith(b" "):
            held.append(text[:cut])
        else:
            lines.append(b"".join([*held, text]))
            held = []
    return b"\n".join([*lines, *([b"".join(held)] if held else [])])


def _join(texts: list[bytes], attached: list[bytes], where: str) -> bytes:
    """All text parts in their order, as git takes them: a message in one and its diff in the next are one patch. Else
    the text followed by the attached diff."""
    with_diff = [index for index, data in enumerate(texts) if _DIFF.search(data)]
    if with_diff:
        parts = texts[: with_diff[-1] + 1]
        return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts[:-1]) + parts[-1]
    if len(attached) > 1:
        raise UserError(f"{where}: two diffs are attached to one mail; send each patch in a mail of its own")
    text = texts[0] if texts else b""
    if not attached:
        return text
    return (text if re.search(rb"^---\n", text, re.MULTILINE) else text.rstrip() + b"\n---\n") + _unix(attached[0])


def _text(data: bytes, charset: str, where: str, warnings: list[str]) -> bytes:
    """The message in UTF-8; from the diff on the bytes stay what they are, as `git mailinfo` leaves them."""
    if b"\0" in data:
        raise UserError(f"{where}: holds NUL bytes: it is not the text of a mail")
    found = _BREAK.search(data)
    cut = found.start() if found else len(data)
    for name in dict.fromkeys((charset, "utf-8") if charset not in _ASCII else ("utf-8",)):
        if (text := decode(data[:cut], name)) is not None:
            return text.encode("utf-8") + data[cut:]
    if charset not in (*_ASCII, "utf-8", "utf8"):
        raise UserError(f"{where}: the text is neither valid {charset} nor UTF-8")
    warnings.append(f"{where}: the text is not valid UTF-8; taken as Latin-1")
    return data[:cut].decode("latin-1").encode("utf-8") + data[cut:]


def _unix(data: bytes) -> bytes:
    """Without the carriage returns of the transport. Those that belong to a patched file are kept: then the diff's own
    header lines have none."""
    header_line = re.search(rb"^(?:diff --git |@@ -|--- )[^\n]*\n", data, re.MULTILINE)
    sample = header_line.group() if header_line else data.partition(b"\n")[0] + b"\n"
    return data.replace(b"\r\n", b"\n") if sample.endswith(b"\r\n") else data
