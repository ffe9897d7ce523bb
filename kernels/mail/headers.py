# SPDX-License-Identifier: GPL-2.0-or-later
"""Headers of a mail as text: encoded words (RFC 2047), raw UTF-8, dates. Linear in the length of what is read."""

import base64
import binascii
import codecs
import email.utils
import re
from datetime import UTC, datetime
from email.message import Message
from typing import TypeAlias

from util.text import one_line

Part: TypeAlias = "Message[str, str]"

_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,39}")
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
"""Codecs of Python that are no charset of a mail; some take quadratic time."""
_ZONELESS = re.compile(r"@?(\d{1,11})(?:\s+([+-]\d{4}))?")
_AMERICAN = re.compile(r"^(\d\d)/(\d\d)/(\d{4})(?!\d)")
_EPOCH = "Sat, 01 Jan 2000 00:00:00 +0000"


def is_charset(name: str) -> bool:
    """Whether this can be the name of a charset at all, known or not."""
    return _CHARSET.fullmatch(name) is not None


def decode(data: bytes, charset: str) -> str | None:
    """The text, or None where the charset is unknown or the bytes are not of it."""
    try:
        if not is_charset(charset) or codecs.lookup(charset).name.replace("-", "_") in _NO_CHARSETS:
            return None
        text = data.decode(charset)
        text.encode("utf-8")
    except (LookupError, ValueError):
        return None
    return text


def header(message: Part, name: str) -> str:
    """The last header of this name as one line of text; nothing if it is absent.

    The last, because git takes that one where a header stands twice."""
    found = headers(message, name)
    return found[-1] if found else ""


def headers(message: Part, name: str) -> list[str]:
    """All headers of this name, each as one line of text."""
    raw = [value for key, value in message.raw_items() if key.lower() == name.lower()]
    return [one_line(decode_words(_text(str(value)))) for value in raw]


def sender(message: Part) -> str:
    """The author: of several `From:` lines the last that holds an address."""
    found = headers(message, "From")
    return next((value for value in reversed(found) if "@" in value), found[-1] if found else "")


def _text(value: str) -> str:
    """Bytes beyond ASCII are UTF-8, which is what b4 and git write, or else Latin-1."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def decode_words(text: str) -> str:
    """`=?utf-8?q?gr=C3=BC=C3=9Fe?=` decoded; a word that is not well formed stays. Blanks between two words go."""
    parts: list[str] = []
    begin, position, after_word = 0, 0, False
    while (start := text.find("=?", position)) >= 0:
        found = _word(text, start)
        if found is None:
            position = start + 2
            continue
        decoded, end = found
        between = text[begin:start]
        parts += [] if after_word and not between.strip() else [between]
        parts.append(decoded)
        begin = position = end
        after_word = True
    return "".join([*parts, text[begin:]])


def _word(text: str, start: int) -> tuple[str, int] | None:
    """(text, end) of the encoded word at `start`. Charset and word are short (RFC 2047 says 75), so a search for their
    ends is bounded; git and mail programs write longer ones, hence the generous bound."""
    mark = text.find("?", start + 2, start + 60)
    kind = text[mark + 1 : mark + 2].lower()
    if mark < 0 or kind not in ("b", "q") or text[mark + 2 : mark + 3] != "?":
        return None
    end = text.find("?=", mark + 3, mark + 3 + 2000)
    if end < 0:
        return None
    word = text[mark + 3 : end].encode("ascii", "replace")
    try:
        data = base64.b64decode(word + b"=" * (-len(word) % 4)) if kind == "b" else _unquoted(word)
    except binascii.Error:
        return None
    decoded = decode(data, text[start + 2 : mark].partition("*")[0])
    return None if decoded is None else (decoded, end + 2)


def _unquoted(word: bytes) -> bytes:
    return _HEX.sub(lambda match: bytes([int(match[1], 16)]), word.replace(b"_", b" "))


def date(text: str) -> tuple[str, bool]:
    """(the date in the form that git understands, whether it was readable). Mails write RFC 2822, and tools ISO 8601
    or seconds; without a date `git am` would take today's, and no two runs would give one commit."""
    text = text.strip()
    try:
        if (seconds := _ZONELESS.fullmatch(text)) is not None:
            zone = datetime.strptime(seconds[2] or "+0000", "%z").tzinfo
            return email.utils.format_datetime(datetime.fromtimestamp(int(seconds[1]), zone)), True
        text = _AMERICAN.sub(r"\3-\1-\2", text).replace("/", "-")
        if re.match(r"\d{4}-?\d\d-?\d\d", text):
            return email.utils.format_datetime(_iso(text[:64])), True
        return email.utils.format_datetime(email.utils.parsedate_to_datetime(text[:200])), True
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return _EPOCH, False


def _iso(text: str) -> datetime:
    found = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d:?\d\d$)", "", text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_BETWEEN = str.maketrans(dict.fromkeys('<>,;:"()', " "))


def addresses(line: str) -> list[str]:
    """The mail addresses in a header or a trailer, in lower case. By hand: a parser of such lines can be kept busy, and
    what it would find more are names."""
    words = line.translate(_BETWEEN).split()
    return [word.lower() for word in words if word.count("@") == 1 and word.strip("@") == word]
