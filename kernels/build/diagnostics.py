# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a build's log: the lines of each target, warnings, the first error, and whether the machine was at fault.

The log is that of `make --output-sync=target`: a short line (`  CC      kernel/fork.o`) and under it all that the
commands for this target printed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_HEADER = re.compile(r"^  (?:[A-Z][A-Z0-9_+.]*(?: \[[A-Z]+\])?) +(?P<target>\S+)$")
_PLACED = re.compile(
    r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:\d+:)? ?"
    r"(?P<kind>warning|error|fatal error): (?P<text>.*?)(?: \[(?P<option>-W[^\]]+)\])?$"
)
_DTC = re.compile(
    r"^(?P<file>[^\s:][^:]*\.dtsi?):(?P<line>\d+)\.\d+(?:-[\d.]+)?: Warning \((?P<option>\w+)\): (?P<text>.*)$"
)
_TOOLS = (
    re.compile(r"^(?P<file>[^\s:][^:]*): warning: (?P<text>objtool: .*)$"),
    re.compile(r"^(?:WARNING|Warning): (?P<text>modpost: .*)$"),
    re.compile(r"^WARNING: (?P<file>vmlinux\S*?|\S+\.o)(?:\([^)]*\))?: (?P<text>.*)$"),
    re.compile(r"^(?:\S*?-)?(?:ld|as|ar)(?:\.\w+)?: warning: (?:(?P<file>\S+): )?(?P<text>.*)$"),
    re.compile(r"^(?P<file>[^\s:][^:]*): Assembler messages:$()(?P<text>)"),
)
_ERRORS = (
    re.compile(r"^(?P<where>[^\s:][^:]*:\d+:(?:\d+:)?) ?(?:fatal )?error: (?P<text>.*)$"),
    re.compile(r"^(?P<where>[^\s:][^:]*:\d+:) Error: (?P<text>.*)$"),
    re.compile(r"^(?P<where>.*?)(?P<text>(?:undefined reference to|multiple definition of) .*)$"),
    re.compile(r"^(?P<where>)(?P<text>ERROR: .*)$"),
    re.compile(r"^(?P<where>(?:\S*?-)?ld(?:\.\w+)?:) (?!warning)(?P<text>.*)$"),
    re.compile(r"^(?P<where>\S*Kconfig\S*:\d+:) ?(?P<text>(?!warning).*)$"),
    re.compile(r"^(?P<where>)(?P<text>make(?:\[\d+\])?: \*\*\* .*)$"),
)
_QUOTED = re.compile(r"^[^\s:][^:]*:\d+:(?:\d+:)? (?:warning|error: #error)")  # the source's words, not the machine's
_MACHINE = (
    (re.compile(r"No space left on device|Disk quota exceeded"), "the disk is full"),
    (
        re.compile(
            r"Killed signal terminated program|terminated with signal 9 \[Killed\]|\*\*\* .*\bKilled$|Error 137$"
        ),
        "a compiler was killed, most likely for lack of memory",
    ),
    (
        re.compile(
            r"(?:Terminated|Interrupt) signal terminated program|\*\*\* .*\b(?:Terminated|Interrupt)$"
            r"|\*\*\* .*\bError 1(?:30|43)$"  # a shell's exit status after SIGINT and SIGTERM
        ),
        "someone ended a part of the build",
    ),
    (
        re.compile(r"Cannot allocate memory|virtual memory exhausted|out of memory allocating|memory exhausted$"),
        "the machine ran out of memory",
    ),
    (re.compile(r"Too many open files|Input/output error|Read-only file system$"), "the machine failed"),
)


@dataclass(frozen=True, slots=True, order=True)
class BuildWarning:
    """One warning of a build. `file` is relative to the source or output tree, `line` 0 where there is none. `option`
    is the compiler's switch (`-Wunused-variable`), empty where it names none."""

    file: str
    line: int
    text: str
    option: str = ""

    @property
    def key(self) -> str:
        """The same warning on another variant has the same key: without line and without addresses, which move."""
        return f"{self.file}: {re.sub(r'0x[0-9a-f]+', '0x..', self.text)} {self.option}".strip()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.text}{f' [{self.option}]' if self.option else ''}"


def target_of(line: str) -> str:
    """The target that a kbuild line names, empty where the line is not such a line."""
    match = _HEADER.match(line)
    return match["target"] if match else ""


def by_target(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(target, line) of every line that is not itself a target's; target empty before the first."""
    target = ""
    for line in lines:
        if new := target_of(line):
            target = new
        else:
            yield target, line


def find_warnings(lines: Iterable[str], prefixes: tuple[str, ...]) -> dict[str, tuple[BuildWarning, ...]]:
    """All warnings of a log by the target that printed them. `prefixes` are cut off the file names."""
    found: dict[str, dict[BuildWarning, None]] = {}
    for target, line in by_target(lines):
        if warning := _warning(line, prefixes):
            found.setdefault(target, {})[warning] = None
    return {target: tuple(warnings) for target, warnings in found.items()}


def _warning(line: str, prefixes: tuple[str, ...]) -> BuildWarning | None:
    placed = _PLACED.match(line) or _DTC.match(line)
    if placed:
        if placed.groupdict().get("kind", "warning") != "warning" or placed["file"] == ".config":
            return None  # of our own requests, conf says that they override what tinyconfig has set
        return BuildWarning(
            _relative(placed["file"], prefixes), int(placed["line"]), placed["text"], placed["option"] or ""
        )
    for pattern in _TOOLS:
        match = pattern.match(line)
        if match and match["text"]:
            return BuildWarning(_relative(match.groupdict().get("file") or "", prefixes), 0, match["text"])
    return None


def _relative(file: str, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        file = file.removeprefix(prefix)
    return file.removeprefix("./")


def first_error(lines: Iterable[str], prefixes: tuple[str, ...]) -> str:
    """The line to show for a failed build, without the tree's path; empty where the log holds no error.

    A compiler's or linker's own words come before make's summary, wherever they stand in the log.
    """
    kept = list(lines)
    for pattern in _ERRORS:
        for line in kept:
            if match := pattern.match(line):
                where = _relative(match["where"].strip(), prefixes)
                return f"{where} {match['text']}".strip()
    return ""


def machine_fault(lines: Iterable[str]) -> str:
    """Why the machine, not the kernel, made the build fail; empty where nothing says so."""
    for line in lines:
        for pattern, reason in _MACHINE:
            if pattern.search(line) and not _QUOTED.match(line):
                return f"{reason} ({line.strip()[:200]})"
    return ""
