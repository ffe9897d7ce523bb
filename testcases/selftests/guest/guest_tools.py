# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Debian packages a target's scripts need in the guest, found out from their text by `guest_tools.yaml`."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from configs.loader import load
from configs.model import Strict

FILE = Path(__file__).with_name("guest_tools.yaml")
_WORDS_BEFORE = "if|then|else|elif|do|while|until|exec|sudo|command|which|type|time|require_command|check_tool"
_STARTS = rf"(?:^|[;&|(){{}}`!\"']|\b(?:{_WORDS_BEFORE}))\s*"
"""What stands before a command in a shell's text: the start of a line, a separator, a keyword, a way to look for it."""
_SETTINGS = r"(?:[A-Za-z_]\w*=\S*\s+)*"
_PATH = r"(?:/(?:usr/)?s?bin/)?"
_WITHIN = r"\b(?:ip\s+netns\s+exec|ip\s+vrf\s+exec|nsenter|unshare|timeout|taskset)\s+\S+\s+(?:-\S+\s+)*"
"""A command that starts another one."""
_SEPARATOR = re.compile(r"[|;&\n]")
_LONG_OPTION = re.compile(r"[ \t]--[a-z]")
_PYTHON = re.compile(rb"^#!.*\bpython")
_LIMIT = 8 * 1024 * 1024
"""Bytes of a file that are read: the strings of a static program stand behind its code."""


class _Tools(Strict):
    tools: dict[str, str]
    long_options: dict[str, str]


@cache
def tools() -> dict[str, str]:
    """Package by command."""
    return load(FILE, _Tools).tools


@cache
def _long_options() -> dict[str, str]:
    """Package by command, for commands that are called with a long option."""
    return load(FILE, _Tools).long_options


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    names = "|".join(sorted(map(re.escape, tools()), key=len, reverse=True))
    before = (rf"{_STARTS}{_SETTINGS}{_PATH}", rf"{_WITHIN}{_PATH}")
    return tuple(re.compile(rf"{one}(?P<name>{names})(?![\w.=/-])", re.MULTILINE) for one in before)


@cache
def _option_takers() -> re.Pattern[str]:
    names = "|".join(_long_options())
    return re.compile(rf"{_STARTS}{_SETTINGS}{_PATH}(?P<name>{names})(?=[ \t])", re.MULTILINE)


def _with_long_option(text: str) -> Iterator[str]:
    """The commands of a shell's text that a long option stands behind, in the same simple command."""
    for command in _SEPARATOR.split(text):
        if option := _LONG_OPTION.search(command):
            yield from (match["name"] for match in _option_takers().finditer(command[: option.start() + 1]))


def packages_of(folder: Path) -> tuple[str, ...]:
    """The packages of every command that a script of the installed targets in `folder` starts, and of its interpreter,
    sorted. The kernel's own runner, which is installed beside them, is not what runs them here."""
    paths = (path for top in sorted(folder.iterdir()) if top.name != "kselftest" for path in (top, *top.rglob("*")))
    return tuple(sorted({package for path in paths for package in _of_file(path)}))


def _of_file(path: Path) -> Iterator[str]:
    if path.is_symlink() or not path.is_file():
        return
    with path.open("rb") as file:
        data = file.read(_LIMIT)
    if data[:4] == b"\x7fELF":
        yield from (tools()[name] for name in _called(data))
        return
    if _PYTHON.match(data):
        yield tools()["python3"]
        yield from (tools()[name] for name in _quoted(data.decode("utf-8", "replace")))
    elif data.startswith(b"#!") or path.suffix == ".sh":
        text = re.sub(r"^\s*#(?!!).*$", "", data.decode("utf-8", "replace"), flags=re.MULTILINE)
        yield from (tools()[match["name"]] for form in _patterns() for match in form.finditer(text))
        yield from (_long_options()[name] for name in _with_long_option(text))
        first = text.partition("\n")[0]
        yield from (tools()[name] for name in ("bash", "perl") if re.match(rf"#!.*\b{name}\b", first))


_SYSTEM = re.compile(rb"(?:^|\0)(?:/(?:usr/)?s?bin/)?([a-z][a-z0-9.]+) [^\0]{2,}")
_ABSOLUTE = re.compile(rb"\0/(?:usr/)?s?bin/([a-z][a-z0-9.]+)\0")


def _called(data: bytes) -> Iterator[str]:
    """Commands in a program's strings: a line for system(3), or an absolute path."""
    for form in (_SYSTEM, _ABSOLUTE):
        for match in form.finditer(data):
            name = match[1].decode()
            if name in tools() and name not in _WORDS:
                yield name


_WORDS = frozenset(("file", "ip", "mount", "time", "ps", "ss", "ping", "timeout", "bridge", "unshare", "fallocate"))
"""What a message of a program may begin with as well."""
_QUOTED = re.compile(r"""["'f]([a-z][a-z0-9.]+)(?=[ "'])""")


def _quoted(text: str) -> Iterator[str]:
    """Commands at the start of a string of a Python script."""
    return (name for name in _QUOTED.findall(text) if name in tools())
