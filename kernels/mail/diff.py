# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what a diff touches, and refuses what no kernel patch needs: it comes from strangers.

The grammar is git's (gitformat, "Generating patch text with -p", and git's apply.c for what it accepts beyond). Hunk
bodies are counted, not guessed, so that a removed line that looks like a header cannot pass for one.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from util.errors import UserError

MODES = frozenset({"100644", "100755", "120000"})
MAX_PATH = 4095
"""Bytes: PATH_MAX of Linux without its NUL."""

MAX_LINE = 8 * MAX_PATH + 100
"""Bytes of a `diff --git` line: two names, each byte of which may be an escape of four."""
MAX_DIGITS = 9
"""Of a line number; git's own are below 2^31, and Python refuses to read endless ones."""

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_OCTAL = re.compile(rb"[0-3][0-7]{2}")
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_MODE_LINE = re.compile(rb"(?:old mode|new mode|new file mode|deleted file mode) (\d+)")
_INDEX_MODE = re.compile(rb"index [0-9a-f]+\.\.[0-9a-f]+ (\d+)")
_BINARY = re.compile(rb"GIT binary patch|(?:Binary f|F)iles .* differ")
_NAMES = (b"rename from ", b"rename to ", b"copy from ", b"copy to ", b"rename old ", b"rename new ")
_EXTENDED = (
    *_NAMES, b"old mode ", b"new mode ", b"new file mode ", b"deleted file mode ", b"index ", b"similarity index ",
    b"dissimilarity index ", b"GIT binary patch", b"Binary files ", b"Files ",
)  # fmt: skip
"""How the lines of git's extended header begin."""


@dataclass(slots=True)
class FileDiff:
    """The part of a diff that is about one file. A name is None for /dev/null."""

    names: list[str] = field(default_factory=list)
    modes: set[str] = field(default_factory=set)
    binary: bool = False
    hunks: list[tuple[int, str]] = field(default_factory=list)
    """(first line in the old file, the whole `@@` line)"""
    added: list[bytes] = field(default_factory=list)
    """The lines that a link's new target stands in; empty for everything else."""


def unquote(word: bytes) -> bytes:
    r"""A path as it stands in a diff: plain, or in double quotes with C escapes (`"a/f\303\274r"`)."""
    if not word.startswith(b'"'):
        return word
    result, index = bytearray(), 1
    while index < len(word) and word[index : index + 1] != b'"':
        char = word[index]
        index += 1
        if char == 0x5C:
            octal = _OCTAL.match(word, index)
            if octal:
                char, index = int(octal.group(), 8), index + 3
            else:
                char, index = _ESCAPES.get(chr(word[index]) if index < len(word) else "", 0), index + 1
        result.append(char)
    return bytes(result)


@dataclass(slots=True)
class Diff:
    """Every file that a text's diff names, in order, and the offset in bytes at which the diff ends (0: no diff)."""

    files: list[FileDiff] = field(default_factory=list)
    end: int = 0
    merge: bool = False
    """The diff of a merge, which cannot be applied."""
    wrong: str = ""
    """What makes it no diff at all; empty for a good one."""


def scan(text: bytes) -> Diff:
    """The diff in a text; what stands around it is passed over."""
    diff, files = Diff(), list[FileDiff]()
    lines = text.split(b"\n")
    index = last = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if not line:
            continue
        if line.startswith(b"diff --git "):
            if len(line) > MAX_LINE:
                diff.wrong = "names a file without end"
                continue
            files.append(FileDiff(_git_names(line[len(b"diff --git ") :])))
        elif line.startswith((b"diff --cc ", b"diff --combined ")):
            diff.merge = True
        elif line.startswith(b"--- ") and index < len(lines) and lines[index].startswith(b"+++ "):
            if not files or files[-1].hunks:
                files.append(FileDiff())  # a diff that was not made by git
            files[-1].names += [name for word in (line, lines[index]) for name in _plain_name(word[4:])]
            index += 1
        elif files and (match := _HUNK.match(line)):
            if any(len(number or b"") > MAX_DIGITS for number in match.groups()):
                diff.wrong = f"has a hunk whose numbers have more than {MAX_DIGITS} digits"
                index = len(lines)
            else:
                index = _hunk(lines, index, match, files[-1])
        elif not files or files[-1].hunks or not _extended(line, files[-1]):
            continue
        last = index
    diff.end = min(sum(map(len, lines[:last])) + last, len(text))
    diff.files = files
    return diff


def _hunk(lines: Sequence[bytes], index: int, match: re.Match[bytes], file: FileDiff) -> int:
    """The index after the hunk whose `@@` line, a `match` of `_HUNK`, stands before `index`."""
    file.hunks.append((int(match[1]), lines[index - 1].decode("utf-8", "replace")))
    old, new = (int(count) if count is not None else 1 for count in (match[2], match[4]))
    while index < len(lines):
        kind = lines[index][:1]
        # An empty line is a blank context line whose blank a mailer ate; `\\ No newline` belongs to the line before.
        done = old <= 0 and new <= 0
        if kind != b"\\" and (done or kind not in (b" ", b"-", b"+", b"")):
            break
        old -= kind in (b" ", b"-", b"")
        new -= kind in (b" ", b"+", b"")
        if kind == b"+" and "120000" in file.modes:
            file.added.append(lines[index][1:])
        index += 1
    return index


def _extended(line: bytes, file: FileDiff) -> bool:
    """Whether this is a line of git's extended header; if so, it is noted."""
    if not line.startswith(_EXTENDED):
        return False
    if mode := _MODE_LINE.match(line) or _INDEX_MODE.match(line):
        file.modes.add(mode[1].decode())
    elif _BINARY.fullmatch(line):
        file.binary = True
    elif prefix := next(filter(line.startswith, _NAMES), b""):
        file.names.append(_decode(unquote(line[len(prefix) :])))
    else:
        return line.startswith((b"index ", b"similarity index ", b"dissimilarity index "))
    return True


def with_strip(text: bytes, strip: int) -> bytes:
    """The diff of a text, made for `patch -p<strip>`, rewritten for -p1 as `git am` takes it. What stands around the
    diff and in its hunks stays. Raises UserError where a name has fewer components than are to be stripped."""
    if strip == 1:
        return text
    lines = text.split(b"\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        match = _HUNK.match(line)
        if match and all(len(number or b"") <= MAX_DIGITS for number in match.groups()):
            index = _hunk(lines, index, match, FileDiff())
        elif line.startswith(b"diff --git "):
            words = [b"%s/%s" % pair for pair in zip((b"a", b"b"), _restripped(line, strip), strict=False)]
            lines[index - 1] = b"diff --git " + b" ".join(words)
        elif line.startswith(b"--- ") and index < len(lines) and lines[index].startswith(b"+++ "):
            for offset, side in ((index - 1, b"a/"), (index, b"b/")):
                name, tab, rest = lines[offset][4:].partition(b"\t")
                if name.strip() != b"/dev/null":
                    lines[offset] = lines[offset][:4] + side + _cut(name, strip) + tab + rest
            index += 1
    return b"\n".join(lines)


def _restripped(line: bytes, strip: int) -> list[bytes]:
    words = line[len(b"diff --git ") :].split(b" ")
    return [_cut(word, strip) for word in words]


def _cut(name: bytes, strip: int) -> bytes:
    parts = name.split(b"/")
    if len(parts) <= strip or name.startswith(b'"'):
        shown = name[:100].decode("utf-8", "backslashreplace")
        raise UserError(f"names {shown!r}, which -p{strip} does not fit")
    return b"/".join(parts[strip:])


def _git_names(words: bytes) -> list[str]:
    """The two names of `diff --git A B`, without their first component. Unquoted names with blanks are ambiguous
    unless both are the same, which is the only case in which no other line of the header names them."""
    if words.startswith(b'"') or words.endswith(b'"'):
        return [_strip(unquote(word)) for word in re.findall(rb'"(?:[^"\\]|\\.)*"|[^" ]\S*', words)]
    half = len(words) // 2
    first, second = words[:half], words[half + 1 :]
    if words[half : half + 1] == b" " and first.partition(b"/")[2] == second.partition(b"/")[2]:
        return [_strip(first)]
    return [_strip(word) for word in words.split(b" ")] if words.count(b" ") == 1 else []


def _plain_name(word: bytes) -> list[str]:
    """The name of a `---` or `+++` line, if it is not /dev/null."""
    word = unquote(word) if word.startswith(b'"') else word.split(b"\t")[0].rstrip()
    return [] if word == b"/dev/null" else [_strip(word)]


def _strip(name: bytes) -> str:
    """Without the first component (`git am` applies with -p1). An absolute name stays what it is: to be refused."""
    return _decode(name if name.startswith(b"/") or b"/" not in name else name.partition(b"/")[2])


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def check_path(path: str) -> None:
    """Raises UserError for a path that leaves the tree or that no kernel tree can want."""
    parts = path.split("/")
    shown = path.encode("utf-8", "backslashreplace").decode()
    if path.startswith("/") or ".." in parts:
        raise UserError(f"touches {shown!r}, which leaves the tree")
    if any(part.lower() == ".git" for part in parts):
        raise UserError(f"touches {shown!r}, which is git's own")
    if not path or "" in parts or "." in parts:
        raise UserError(f"touches {shown!r}, which is no proper path")
    if not path.isprintable() or len(path.encode("utf-8", "surrogateescape")) > MAX_PATH:
        raise UserError(f"touches {shown[:100]!r}, a name with unprintable characters or without end")


def check_link(path: str, target: str) -> None:
    """Raises UserError for a symbolic link that points out of the tree."""
    if target.startswith("/") or posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).startswith(".."):
        raise UserError(f"makes {path!r} a link to {target!r}, which leaves the tree")


def check(diff: Diff) -> tuple[str, ...]:
    """The paths that the diff touches, sorted. Raises UserError that says what is wrong with it."""
    if diff.wrong:
        raise UserError(diff.wrong)
    if diff.merge:
        raise UserError("holds the diff of a merge, which cannot be applied")
    for file in diff.files:
        for name in file.names:
            check_path(name)
        shown = file.names[-1] if file.names else "a file without name"
        if file.binary:
            raise UserError(f"holds a binary diff of {shown}; the rig takes text only")
        if "160000" in file.modes:
            raise UserError(f"makes {shown} a submodule")
        if file.modes - MODES:
            raise UserError(f"gives {shown} the unknown mode {min(file.modes - MODES)}")
        for target in file.added:
            check_link(shown, target.decode("utf-8", "surrogateescape"))
    return tuple(sorted({name for file in diff.files for name in file.names}))
