# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads minijail's policies (minijail0(5)): a line for each system call, as `read: 1` or `ioctl: arg1 == 0x5401`.

An expression is alternatives (`||`) of conditions that hold together (`&&`); what follows `; return` is for calls that
do not fulfil it. Everything else comes to the default, which is to kill the process.
"""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from testcases.seccomp.bpf.actions import MAX_ERRNO
from testcases.seccomp.bpf.seccomp_data import (
    ARCH_ABIS,
    KERNEL_ARCHS,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
)
from testcases.seccomp.filters.formats.constants import constant
from testcases.seccomp.filters.formats.json_value import quoted
from testcases.seccomp.filters.libseccomp import known, number
from testcases.seccomp.filters.ordered import Clause, Compare, Condition, OrderedPolicy, compiled
from testcases.seccomp.filters.target import FilterTarget, MadeFilter
from util.errors import UserError

_ACTIONS = {
    "1": RET_ALLOW,
    "allow": RET_ALLOW,
    "kill": RET_KILL_PROCESS,
    "kill-process": RET_KILL_PROCESS,
    "kill-thread": RET_KILL_THREAD,
    "trap": RET_TRAP,
    "trace": RET_TRACE,
    "log": RET_LOG,
    "user-notify": RET_USER_NOTIF,
}
_TESTS = {
    "==": Compare.EQ,
    "!=": Compare.NE,
    "<": Compare.LT,
    "<=": Compare.LE,
    ">": Compare.GT,
    ">=": Compare.GE,
    "&": Compare.ANY_BIT,
    "in": Compare.NO_BIT,
}
_LINE = re.compile(r"(\{[^}]*+\}|@?[\w-]++)(?:\s*+\[([^\]]*+)\])?+\s*+:\s*+(.*)", re.ASCII)
_ATOM = re.compile(r"arg([0-9]{1,3})\s*(==|!=|<=|>=|<|>|&|in(?=[\s~(]))\s*(\S.*)", re.ASCII)
_POLICY = re.compile(
    r"\s*+(?:@(?:default|include|frequency|denylist)\b|[\w{][\w, {}-]*+(?:\[[^\]]*+\])?+\s*+:\s*+\S)", re.ASCII
)
_MOST_LINES = 20_000
_WIDE = (1 << 64) - 1


def looks_so(text: str) -> bool:
    """Whether the first line that is no comment is one of a policy; a label of an assembly text looks like one, too."""
    for line in text.splitlines():
        bare = line.partition("#")[0].strip()
        if bare:
            return bool(_POLICY.match(bare)) and not re.match(r"\w+:\s*(?:ld|st|j|ret|add|tax|txa)\w*\b", bare)
    return False


def made(text: str, target: FilterTarget, folder: Path | None) -> MadeFilter:
    """The filter for the native ABI of the kernel. `folder` is where `@include ./file` looks. Raises UserError."""
    reading = _Reading(ARCH_ABIS[target.arch][0], folder)
    reading.file(text, "")
    rows = tuple((nr, tuple(clauses), otherwise) for nr, (clauses, otherwise) in reading.calls.items())
    default = RET_ALLOW if reading.denylist else RET_KILL_PROCESS if reading.default is None else reading.default
    program = compiled(OrderedPolicy(reading.abi, rows, default, RET_KILL_PROCESS))
    return MadeFilter(program, (reading.abi,), tuple(reading.notes), f"as minijail makes it for {target.arch}")


@dataclass(slots=True)
class _Reading:
    abi: str
    folder: Path | None
    calls: dict[int, tuple[list[Clause], int]] = field(default_factory=dict)
    default: int | None = None
    denylist: bool = False
    notes: list[str] = field(default_factory=list)
    lines: int = 0

    def file(self, text: str, within: str) -> None:
        """All lines of one file; `within` names an included one."""
        joined = re.sub(r"\\[ \t]*\r?\n", " ", text)
        for number_of_line, line in enumerate(joined.splitlines(), 1):
            self.lines += 1
            if self.lines > _MOST_LINES:
                raise UserError(f"more than {_MOST_LINES} lines")
            bare = line.partition("#")[0].strip()
            try:
                if bare:
                    self._line(bare, within)
            except UserError as error:
                where = f"{within}: " if within else ""
                raise UserError(f"{where}line {number_of_line}: {error}") from None

    def _line(self, line: str, within: str) -> None:
        if line.startswith("@"):
            self._directive(line, within)
            return
        match = _LINE.fullmatch(line)
        if not match:
            raise UserError(f"{quoted(line)} is not `system call: expression`")
        names = match[1].strip("{}").replace(",", " ").split()
        archs = match[2]
        if archs is not None:
            key, _, words = archs.partition("=")
            if key.strip() != "arch":
                raise UserError(f"{quoted(archs)} is not `arch=...`")
            if not {self.abi, KERNEL_ARCHS.get(self.abi, "")} & {word.strip() for word in words.split(",")}:
                return
        clauses, otherwise = self._expression(match[3])
        for name in names:
            self._call(name, clauses, otherwise)

    def _call(self, name: str, clauses: list[Clause], otherwise: int) -> None:
        found = int(name) if name.isdigit() and len(name) < 10 else number(name, self.abi)
        if found is None:
            if not known(name):
                raise UserError(f"no system call {quoted(name)}")
            self.notes.append(f"{self.abi} has no system call {quoted(name)}; left out")
            return
        if found in self.calls:
            raise UserError(f"{quoted(name)} has a line already")
        self.calls[found] = (clauses, otherwise)

    def _directive(self, line: str, within: str) -> None:
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word == "@denylist" and not self.calls:
            self.denylist = True
        elif word == "@default":
            if self.default is not None:
                raise UserError("a second @default")
            self.default = self._action(rest)
        elif word == "@frequency":
            self.notes.append("@frequency only orders the instructions; left out")
        elif word == "@include" and not within:
            self._include(rest)
        else:
            raise UserError(f"{quoted(line)} is not possible here")

    def _include(self, name: str) -> None:
        if self.folder is None:
            raise UserError("@include needs a file to start from, not standard input")
        try:
            text = (self.folder / name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UserError(
                f"@include {quoted(name)}: {getattr(error, 'strerror', None) or 'cannot be read'}"
            ) from None
        self.file(text, quoted(name))

    def _expression(self, text: str) -> tuple[list[Clause], int]:
        """The clauses, and what becomes of calls for which none holds."""
        body, separator, rest = text.partition(";")
        body, rest = body.strip(), rest.strip()
        otherwise = RET_KILL_PROCESS if self.default is None else self.default
        if not separator and not body.startswith("arg"):
            return [], self._action(body)
        if separator:
            otherwise = self._action(rest)
        return [Clause(tuple(self._conditions(part)), RET_ALLOW) for part in body.split("||")], otherwise

    def _conditions(self, text: str) -> Iterator[Condition]:
        for atom in text.split("&&"):
            match = _ATOM.fullmatch(atom.strip())
            if not match:
                raise UserError(f"{quoted(atom.strip())} is not `argN OPERATOR number`")
            if int(match[1]) > 5:
                raise UserError(f"arg{match[1]}: system calls have arg0 to arg5")
            value = constant(match[3]) & _WIDE
            # `in`: no bit outside of the mask
            yield Condition(int(match[1]), _TESTS[match[2]], value ^ _WIDE if match[2] == "in" else value)

    def _action(self, text: str) -> int:
        if text in _ACTIONS:
            return _ACTIONS[text]
        word, _, rest = text.partition(" ")
        if word != "return" or not rest.strip():
            raise UserError(f"{quoted(text)} is no action (known: {', '.join(_ACTIONS)}, return ERRNO)")
        name = rest.strip()
        value = getattr(errno, name, None) if name.isupper() else constant(name)
        if not isinstance(value, int) or not 0 <= value <= MAX_ERRNO:
            raise UserError(f"{quoted(name)} is no errno from 0 to {MAX_ERRNO}")
        return RET_ERRNO | value
