# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the Kconfig files of a kernel tree, only to say why a requested symbol is not set.

The kernel's own `conf` makes every decision; this reader explains them. It never runs anything: a Kconfig file of an
untrusted series may hold `$(shell,...)`, and such a macro is reported as it stands, neither true nor false. The
language is described in Documentation/kbuild/kconfig-language.rst of any kernel tree.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kernels.kconfig.expression import Expr, holds, parse_expr, unmet

_MAX_FILES = 10_000
_MAX_BYTES = 4 << 20
_DEEPEST = 100
"""Blocks within blocks; the conditions of what is deeper are not looked at."""
_ENTRIES = 20
"""Definitions of one symbol that are explained."""
_SRCARCH = re.compile(r"^ifeq \(\$\(ARCH\),(\w{1,64})\)\n[ \t]*SRCARCH[ \t]*:=[ \t]*(\w{1,64})[ \t]*$", re.MULTILINE)
_BLOCKS = {"menu": "endmenu", "choice": "endchoice", "if": "endif"}
_ENTRY = re.compile(r"(config|menuconfig)\s+(\w+)")
_TYPE = re.compile(
    r"(bool|tristate|int|hex|string|prompt)\b(?:\s*+(\"(?:[^\"\\]|\\.)*+\"|'[^']*+'))?+\s*+(?:if\s+(.*))?$"
)
_SELECT = re.compile(r"(select|imply)\s+(\w+)(?:\s+if\s+(.*))?$")  # an implied symbol may be set too


def srcarch(makefile: str, arch: str) -> str:
    """The folder below `arch/` for an ARCH, as the text of a tree's top Makefile says (SRCARCH)."""
    folders: dict[str, str] = dict(_SRCARCH.findall(makefile))
    return folders.get(arch, arch)


def srcarch_of(tree: Path, arch: str) -> str:
    """The same of a tree that is checked out; `arch` where it has no Makefile."""
    path = tree / "Makefile"
    return srcarch(path.read_text(encoding="utf-8", errors="replace"), arch) if path.is_file() else arch


@dataclass(slots=True)
class Definition:
    """One `config` entry: its place, the conditions on it, those of the blocks around it, and what it selects."""

    symbol: str
    where: str
    around: tuple["_Block", ...] = ()
    depends: list[tuple[Expr, str]] = field(default_factory=list)
    prompt: bool = False
    prompt_if: Expr | None = None
    choice: int = 0
    """Which choice it is in; 0 for none."""
    selects: list[tuple[str, Expr | None]] = field(default_factory=list)


@dataclass(slots=True)
class _Block:
    kind: str
    choice: int
    conditions: list[tuple[Expr, str]] = field(default_factory=list)


class KconfigTree:
    """All definitions under the Kconfig file at the top of `tree`, for one ARCH."""

    def __init__(self, tree: Path, arch: str) -> None:
        self._tree = tree.resolve()
        folder = srcarch_of(self._tree, arch)
        self._variables = {"ARCH": arch, "SRCARCH": folder, "HEADER_ARCH": folder}
        self._definitions: dict[str, list[Definition]] = {}
        self._blocks: list[_Block] = []
        self._deeper = 0
        self._choices = 0
        self._files = 0
        self._open: list[Path] = []
        self._read("Kconfig")

    def knows(self, symbol: str) -> bool:
        return symbol in self._definitions

    def explain(self, symbol: str, wanted: str, final: Mapping[str, str]) -> str:
        """One clause that says why `symbol` is not `wanted` in the configuration `final`."""
        definitions = self._definitions.get(symbol)
        if not definitions:
            close = difflib.get_close_matches(symbol, self._definitions, n=1)
            hint = f"; did you mean CONFIG_{close[0]}?" if close else ""
            return f"this source has no CONFIG_{symbol}{hint}"
        if wanted == "n":
            return self._why_set(symbol, final)
        reasons = [self._why_unset(definition, final) for definition in definitions[:_ENTRIES]]
        return min((reason for reason in reasons if reason), key=len, default=self._why_value(symbol, final))

    def _why_set(self, symbol: str, final: Mapping[str, str]) -> str:
        selectors = [
            name
            for name, condition in self._selectors(symbol)
            if final.get(name, "n") != "n" and (condition is None or holds(condition, final) is not False)
        ]
        if selectors:
            return f"CONFIG_{symbol} is selected by CONFIG_{', CONFIG_'.join(selectors[:4])}"
        if not any(definition.prompt for definition in self._definitions[symbol]):
            return f"CONFIG_{symbol} has no prompt and its default is {final.get(symbol, 'n')}"
        return self._why_value(symbol, final)

    def _why_value(self, symbol: str, final: Mapping[str, str]) -> str:
        where = self._definitions[symbol][0].where
        return f"it became {final.get(symbol, 'n')} (type, range or choice at {where})"

    def _why_unset(self, definition: Definition, final: Mapping[str, str]) -> str:
        around = (condition for block in definition.around for condition in block.conditions)
        for expr, where in (*around, *definition.depends):
            if holds(expr, final) is not True:
                return f"unmet dependency: {unmet(expr, final)} ({where})"
        if definition.prompt and definition.prompt_if and holds(definition.prompt_if, final) is not True:
            return f"its prompt is hidden: {unmet(definition.prompt_if, final)} ({definition.where})"
        if definition.choice:
            rivals = [
                other.symbol
                for entries in self._definitions.values()
                for other in entries
                if other.choice == definition.choice and final.get(other.symbol, "n") == "y"
            ]
            if rivals:
                return f"CONFIG_{rivals[0]} holds the choice instead ({definition.where})"
        if not definition.prompt:
            names = [name for name, _ in self._selectors(definition.symbol)]
            by = f"only CONFIG_{', CONFIG_'.join(names[:4])} could select it" if names else "nothing selects it"
            return f"it has no prompt ({definition.where}) and {by}"
        return ""

    def _selectors(self, symbol: str) -> list[tuple[str, Expr | None]]:
        """(who, under which condition) of every `select` of the symbol."""
        return [
            (definition.symbol, condition)
            for entries in self._definitions.values()
            for definition in entries
            for target, condition in definition.selects
            if target == symbol
        ]

    # reading -----------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> None:
        path = (self._tree / name).resolve()
        self._files += 1
        inside = path.is_relative_to(self._tree) and path.is_file()
        if not inside or path in self._open or self._files > _MAX_FILES or path.stat().st_size > _MAX_BYTES:
            return
        self._open.append(path)
        depth, deeper = len(self._blocks), self._deeper
        entry: Definition | None = None
        for number, line in _statements(path.read_text(encoding="utf-8", errors="replace")):
            entry = self._statement(line, f"{name}:{number}", entry)
        # A file that leaves a block open must not spoil the rest.
        del self._blocks[depth:]
        self._deeper = deeper
        self._open.pop()

    def _statement(self, line: str, where: str, entry: Definition | None) -> Definition | None:
        word = line.split(None, 1)[0]
        rest = line[len(word) :].strip()
        if match := _ENTRY.match(line):
            return self._open_entry(match[2], where)
        if word in ("source", "rsource", "osource", "orsource"):
            self._read(self._expand(rest.strip("\"'")))
            return None
        if word in _BLOCKS and not (word == "if" and not rest):
            self._open_block(word, rest, where)
            return None
        if word in _BLOCKS.values():
            self._close_block()
            return None
        if word in ("comment", "mainmenu"):
            return Definition("", where)  # takes the attributes that follow
        self._attribute(line, word, rest, where, entry)
        return entry

    def _open_entry(self, symbol: str, where: str) -> Definition:
        entry = Definition(symbol, where, tuple(self._blocks), choice=self._blocks[-1].choice if self._blocks else 0)
        self._definitions.setdefault(symbol, []).append(entry)
        return entry

    def _open_block(self, kind: str, rest: str, where: str) -> None:
        if len(self._blocks) == _DEEPEST:
            self._deeper += 1
            return
        self._choices += kind == "choice"
        block = _Block(kind, self._choices if kind == "choice" else self._blocks[-1].choice if self._blocks else 0)
        if kind == "if":
            block.conditions.append((parse_expr(rest), where))
        self._blocks.append(block)

    def _close_block(self) -> None:
        if self._deeper:
            self._deeper -= 1
        elif self._blocks:
            self._blocks.pop()

    def _attribute(self, line: str, word: str, rest: str, where: str, entry: Definition | None) -> None:
        if word == "depends":
            condition = (parse_expr(rest.removeprefix("on").strip()), where)
            if entry is not None:
                entry.depends.append(condition)
            elif self._blocks:
                self._blocks[-1].conditions.append(condition)
        elif entry is None:
            return
        elif match := _SELECT.match(line):
            entry.selects.append((match[2], parse_expr(match[3]) if match[3] else None))
        elif (match := _TYPE.match(line)) and match[2]:
            entry.prompt = True
            entry.prompt_if = parse_expr(match[3]) if match[3] else None

    def _expand(self, text: str) -> str:
        for name, value in self._variables.items():
            text = text.replace(f"$({name})", value).replace(f"${name}", value)
        return text


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(number, statement) of each logical line: continued lines joined, comments, blank lines and help left out."""
    lines = iter(enumerate(text.splitlines(), 1))
    held: tuple[int, str] | None = None
    while True:
        number, raw = held or next(lines, (0, ""))
        held = None
        if not number:
            return
        line = raw.strip()
        while line.endswith("\\"):
            line = f"{line[:-1].rstrip()} {next(lines, (0, ''))[1].strip()}".strip()
        if line in ("help", "---help---"):
            held = _skip_help(lines)
        elif line and not line.startswith("#"):
            yield number, line


def _skip_help(lines: Iterator[tuple[int, str]]) -> tuple[int, str] | None:
    """Skips a help text, which ends at the first line that is indented less than its first one."""
    indent = -1
    for number, raw in lines:
        if not raw.strip():
            continue
        wide = raw.expandtabs(8)
        here = len(wide) - len(wide.lstrip())
        if indent < 0 and here > 0:
            indent = here
        if here < indent or indent < 0:
            return number, raw
    return None
