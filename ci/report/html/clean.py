# SPDX-License-Identifier: GPL-2.0-or-later
"""What text and addresses of a run must lose before they enter a page. All of them may come from a hostile series."""

import re
from urllib.parse import quote

from markupsafe import Markup

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""Control characters, and those that change the order of the text around them or take no space."""
_LOST = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What UTF-8 or HTML has no place for."""
_WEB = re.compile(r"https?://[A-Za-z0-9][^\s\"'<>`\\]*")
_CUT = "\n[... {} characters left out, see results.json ...]\n"


def clean(value: object) -> object:
    """For `finalize` of Jinja2: text in which everything can be seen. It is escaped after this."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n")
    return _LOST.sub("\ufffd", _UNSEEN.sub(_shown, text))


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else f"<U+{code:04X}>"


def web_address(text: str) -> str:
    """The address of a link; empty for what is none, such as `javascript:`."""
    return text if _WEB.fullmatch(text) else ""


def file_address(path: str) -> str:
    """The address of a file in the output folder, beside the page; empty for a path that leaves the folder."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or not path.isprintable() or "\\" in path:
        return ""
    return quote(path, safe="/", errors="replace")


def cut(text: str, limit: int) -> str:
    """Beginning and end of a text that is too long."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return text[:half] + _CUT.format(len(text) - 2 * half) + text[-half:]
