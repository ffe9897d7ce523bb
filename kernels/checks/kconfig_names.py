# SPDX-License-Identifier: GPL-2.0-or-later
"""Kconfig: new symbols without help, selected symbols whose own conditions are not met, names that nothing defines or
uses. The language is described in Documentation/kbuild/kconfig-language.rst of any kernel tree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kernels.checks.check import Finding, Level, PatchInTree, StaticCheck

_FILE = re.compile(r"(?:.*/)?Kconfig[^/]*$")
_ENTRY = re.compile(r"\s*(?:menu)?config\s+(\w+)\s*$")
_END = re.compile(r"\s*(source|menu|endmenu|choice|endchoice|if|endif|comment|mainmenu)\b")
_HELP = re.compile(r"\s+(?:---)?help(?:---)?\s*$")
_ASKS = re.compile(r"(?:depends on|select|imply)\s(.*)")
_SELECT = re.compile(r"\s+select\s+(\w+)(?:\s+if\s+(.*))?")
_DEPENDS = re.compile(r"\s+depends on\s+(.*)")
_USED = re.compile(r"\bCONFIG_([A-Z0-9_]+)\b")
_WORD = re.compile(r"(?<![\w$(\"])[A-Z][A-Z0-9_]+\b(?!\")")
_SOURCES = re.compile(r"(?:.*\.(?:c|h|S|lds)|(?:.*/)?(?:Makefile|Kbuild)[^/]*)$")


@dataclass(slots=True)
class _Symbol:
    """One `config` entry: its line and what belongs to it. A member of a choice that has a help text has that one; an
    entry without a name is the choice itself."""

    name: str
    line: int
    has_prompt: bool = False
    has_help: bool = False
    depends: list[str] = field(default_factory=list)
    selects: dict[int, tuple[str, str]] = field(default_factory=dict)


def _symbols(text: str) -> Iterator[_Symbol]:
    """Entries may be indented, those of a choice often are."""
    choice = current = _Symbol("", 0)
    for number, line in _without_help(text):
        if entry := _ENTRY.match(line):
            yield from [current] if current.name else []
            current = _Symbol(entry[1], number, has_help=choice.has_help)
        elif end := _END.match(line):
            yield from [current] if current.name else []
            current = _Symbol("", number)
            choice = current if end[1] == "choice" else choice if end[1] != "endchoice" else _Symbol("", 0)
        elif _HELP.match(line):
            current.has_help = True
        elif depends := _DEPENDS.match(line):
            current.depends.append(depends[1])
        elif select := _SELECT.match(line):
            current.selects[number] = (select[1], select[2] or "")
        elif re.match(r"\s+(?:bool|tristate|int|hex|string)\s+\"|\s+prompt\s+\"", line):
            current.has_prompt = True
    yield from [current] if current.name else []


def _without_help(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines but those of help texts: such a text goes on as long as its lines are indented like its first
    one, or deeper."""
    inside, depth = False, 0
    for number, line in enumerate(text.split("\n"), 1):
        own = len(line.expandtabs()) - len(line.expandtabs().lstrip())
        if inside and line.strip():
            depth = depth or own
            inside = own >= depth > 0
        if not inside:
            yield number, line
        if not inside and _HELP.match(line):
            inside, depth = True, 0


def _run(item: PatchInTree) -> Iterator[Finding]:
    for path, lines in item.added.items():
        if _FILE.match(path):
            yield from _in_kconfig(item, path, set(lines))
    yield from _unknown_names(item)


def _in_kconfig(item: PatchInTree, path: str, lines: set[int]) -> Iterator[Finding]:
    for symbol in _symbols(item.text(path) or ""):
        if symbol.line in lines:
            if symbol.has_prompt and not symbol.has_help:
                text = f"{symbol.name} can be chosen and has no help text"
                yield Finding(path, symbol.line, Level.WARNING, "kconfig-help", text)
            if not _is_used(item, symbol.name):
                text = f"nothing in the tree uses {symbol.name}"
                yield Finding(path, symbol.line, Level.NOTE, "kconfig-unused", text)
        for number, (selected, condition) in symbol.selects.items():
            if number in lines:
                yield from _unmet(item, path, number, symbol, selected, condition)


def _unmet(
    item: PatchInTree, path: str, number: int, symbol: _Symbol, selected: str, condition: str
) -> Iterator[Finding]:
    """`select` sets a symbol whatever the symbol itself depends on."""
    given = set(_WORD.findall(" ".join((*symbol.depends, condition)))) | {name for name, _ in symbol.selects.values()}
    for definition in _definitions(item, selected):
        needed = [text for text in definition.depends if not set(_WORD.findall(text)) & given]
        if needed and symbol.name not in _WORD.findall(" ".join(needed)):
            text = f"{symbol.name} selects {selected}, which depends on {' && '.join(needed)}, and does not itself"
            yield Finding(path, number, Level.WARNING, "kconfig-unmet", text)
            return


def _definitions(item: PatchInTree, name: str) -> list[_Symbol]:
    places = item.grep(rf"^[[:space:]]*(menu)?config[[:space:]]+{name}[[:space:]]*$", ":(glob)**/Kconfig*")
    texts = (item.text(place.partition(":")[0]) or "" for place in places)
    return [symbol for text in texts for symbol in _symbols(text) if symbol.name == name]


def _is_used(item: PatchInTree, name: str) -> bool:
    """Outside its own entry: as CONFIG_NAME anywhere, or by another line of a Kconfig file."""
    if item.store.run("grep", "-q", "-I", "-w", "-e", f"CONFIG_{name}", item.after).status == 0:
        return True
    lines = item.grep(rf"(^|[^A-Za-z0-9_]){name}([^A-Za-z0-9_]|$)", ":(glob)**/Kconfig*")
    return any(not _ENTRY.match(line.partition(":")[2]) for line in lines)


def _unknown_names(item: PatchInTree) -> Iterator[Finding]:
    asked: dict[str, tuple[str, int]] = {}
    for path, lines in item.added.items():
        if path.startswith(("tools/", "samples/", "Documentation/", "scripts/")):
            continue
        for number, line in lines.items():
            for name in _names(path, line):
                asked.setdefault(name, (path, number))
    for name, (path, number) in asked.items():
        known = name.removesuffix("_MODULE") if _SOURCES.match(path) else name
        if not item.grep(rf"^[[:space:]]*(menu)?config[[:space:]]+({name}|{known})[[:space:]]*$", ":(glob)**/Kconfig*"):
            yield Finding(path, number, Level.WARNING, "kconfig-undefined", f"no Kconfig file defines {name}")


def _names(path: str, line: str) -> list[str]:
    if _FILE.match(path):
        asks = _ASKS.match(line.lstrip()) if line[:1].isspace() else None
        return _WORD.findall(asks[1].partition(" #")[0]) if asks else []
    code = re.sub(r"/\*.*?(?:\*/|$)|^\s*\*.*|//.*", "", line) if path.endswith((".c", ".h")) else line.partition("#")[0]
    return _USED.findall(line if code.lstrip().startswith("#") else code) if _SOURCES.match(path) else []


KCONFIG = StaticCheck(
    "kconfig", "symbols without help, unmet dependencies, names that nothing defines or uses",
    lambda item: any(_FILE.match(path) or _SOURCES.match(path) for path in item.added), _run,
)  # fmt: skip
