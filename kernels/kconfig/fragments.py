# SPDX-License-Identifier: GPL-2.0-or-later
"""Kconfig fragments: the options that a build requests, and the check that they survived.

A fragment is a text of `.config` lines (syntax at the top of `configs/fragments/general.config`). Fragments are merged
in order, a later request for a symbol replaces an earlier one; after `olddefconfig` every request that is left is
compared with the configuration that came out. Nothing here runs a program.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from configs.loader import load
from configs.model import Strict
from configs.names import flavours
from kernels.kconfig.tree import KconfigTree
from util.errors import KconfigError, UserError
from util.paths import CONFIGS, ROOT

FRAGMENTS = CONFIGS / "fragments"
NAMES_FILE = CONFIGS / "kconfig-names.yaml"

_SET = re.compile(r'CONFIG_(?P<symbol>\w+)=(?P<value>"(?:[^"\\]|\\.)*"|[^\s"]*)')
_UNSET = re.compile(r"# CONFIG_(?P<symbol>\w+) is not set")
_LOOSE_REQUEST = re.compile(r"(CONFIG_\w+)(?:\s*=\s*(\S+))?(?:\s+#.*)?$")
"""In the fragments beside the kernel's own tests."""
_MARK = re.compile(r"(?<!\s)\s+#\s*optional:\s*(?P<reason>.*)$")


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """One request. `value` as in a `.config` (`y`, `n`, `"text"`, `0x10`); `where` is `file:line`; `optional` is the
    reason why the symbol may be missing from the result, empty where it may not."""

    symbol: str
    value: str
    where: str
    optional: str = ""

    @property
    def text(self) -> str:
        """The request as a `.config` line."""
        return config_line(self.symbol, self.value)


@dataclass(frozen=True, slots=True)
class Fragment:
    name: str
    lines: tuple[ConfigLine, ...]


class _Renamed(Strict):
    names: tuple[str, ...]
    """All names that one option has had, newest first."""
    changed: str
    """Where and when, for the reader."""


class _Names(Strict):
    renamed: tuple[_Renamed, ...]


def config_line(symbol: str, value: str) -> str:
    return f"# CONFIG_{symbol} is not set" if value == "n" else f"CONFIG_{symbol}={value}"


def parse_fragment(name: str, text: str, file: str, optional: str = "", modules: Collection[str] = ()) -> Fragment:
    """The fragment in `text`. `file` is what `file:line` shows; `optional`, a reason, marks every line.

    `=m` is read as `=y`, since what is built in is there without being loaded; but for the symbols that a glob of
    `modules` names: tests that load and unload a module need it as one.
    Raises UserError for a line that is not one of a `.config`.
    """
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw:
            continue
        where = f"{file}:{number}"
        mark = _MARK.search(raw)
        body = raw[: mark.start()].strip() if mark else raw.strip()
        reason = mark["reason"].strip() if mark else optional
        if mark and not reason:
            raise UserError(f"{where}: `# optional:` needs a reason")
        if unset := _UNSET.fullmatch(body):
            lines.append(ConfigLine(unset["symbol"], "n", where, reason))
        elif match := _SET.fullmatch(body):
            value = match["value"] or "n"
            if value == "m" and not any(fnmatchcase(match["symbol"], glob) for glob in modules):
                value = "y"
            lines.append(ConfigLine(match["symbol"], value, where, reason))
        elif body and not body.startswith("#"):
            shown = body[:100] if body.isprintable() else ascii(body[:100])[1:-1]
            raise UserError(f"{where}: `{shown}` is not a line of a kernel configuration (CONFIG_NAME=value)")
    return Fragment(name, tuple(lines))


def load_fragment(name: str) -> Fragment:
    """`configs/fragments/<name>.config`. Raises UserError that lists the known names."""
    path = FRAGMENTS / f"{name}.config"
    known = sorted(file.stem for file in FRAGMENTS.glob("*.config"))
    if name not in known:
        raise UserError(f"no kconfig fragment `{name}` (known: {', '.join(known)})")
    return parse_fragment(name, path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


def flavour_fragments(flavour: str) -> tuple[Fragment, ...]:
    """What a flavour adds: nothing for `plain`, otherwise `flavour-<name>.config`."""
    if flavour == "plain":
        return ()
    known = flavours()
    if flavour not in known:
        raise UserError(f"no flavour `{flavour}` (known: {', '.join(known)})")
    return (load_fragment(f"flavour-{flavour}"),)


def inline_fragment(name: str, lines: Iterable[str]) -> Fragment:
    """A fragment from the lines of a profile or of the command line; `where` is `<name>:<number from 1>`."""
    return parse_fragment(name, "\n".join(lines), name)


@cache
def _alternatives() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for entry in load(NAMES_FILE, _Names).renamed:
        table.update(dict.fromkeys(entry.names, entry.names))
    return table


def names_of(symbol: str) -> tuple[str, ...]:
    """All names that this option has had, newest first; the symbol alone where it was never renamed."""
    return _alternatives().get(symbol, (symbol,))


def merge(fragments: Iterable[Fragment]) -> dict[tuple[str, ...], ConfigLine]:
    """The requests that hold: by all names of the option, the last one that asked."""
    requests: dict[tuple[str, ...], ConfigLine] = {}
    for fragment in fragments:
        for line in fragment.lines:
            key = names_of(line.symbol)
            requests.pop(key, None)  # the order of the written file is the order of the last request
            requests[key] = line
    return requests


def request_text(requests: Mapping[tuple[str, ...], ConfigLine]) -> str:
    """The requests as lines to append to a `.config`, under every name: a tree ignores the names it does not know."""
    lines = [config_line(name, line.value) for names, line in requests.items() for name in names]
    return "\n".join(lines) + "\n"


def parse_config(text: str) -> dict[str, str]:
    """A `.config` as {symbol: value}; `n` is left out, as for a symbol that is not there at all."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        if match := _SET.fullmatch(line.strip()):
            values[match["symbol"]] = match["value"]
    return values


def wants_modules(fragments: Iterable[Fragment]) -> bool:
    """Whether a request asks for a module as such."""
    return any(line.value == "m" for line in merge(fragments).values())


def _same(wanted: str, found: str) -> bool:
    if wanted == "y":
        return found in ("y", "m")
    if wanted.startswith('"') or not re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", wanted):
        return wanted == found
    try:
        return int(wanted, 0) == int(found, 0)
    except ValueError:
        return wanted == found


def lost(requests: Mapping[tuple[str, ...], ConfigLine], final: Mapping[str, str]) -> list[ConfigLine]:
    """The requests that `final` does not hold and that are not marked optional."""
    return [line for line in _missing(requests, final) if not line.optional]


def dropped(fragments: Iterable[Fragment], final: Mapping[str, str]) -> list[ConfigLine]:
    """The optional requests of these fragments that `final` does not hold."""
    return [line for line in _missing(merge(fragments), final) if line.optional]


def _missing(requests: Mapping[tuple[str, ...], ConfigLine], final: Mapping[str, str]) -> Iterator[ConfigLine]:
    for names, line in requests.items():
        values = [final.get(name, "n") for name in names]
        if line.value == "n":
            held = all(value == "n" for value in values)
        else:
            held = any(_same(line.value, value) for value in values)
        if not held:
            yield line


def check_config(
    requests: Mapping[tuple[str, ...], ConfigLine], final: Mapping[str, str], tree: Path, arch: str
) -> None:
    """Raises KconfigError naming fragment, line and the unmet dependency of the first request that was lost.

    `tree` is the source tree whose Kconfig files explain it, `arch` its ARCH.
    """
    missing = lost(requests, final)
    if not missing:
        return
    kconfig = KconfigTree(tree, arch)
    first = missing[0]
    known = [name for name in names_of(first.symbol) if kconfig.knows(name)]
    why = kconfig.explain(known[0] if known else first.symbol, first.value, final)
    more = f"; and {len(missing) - 1} more: {', '.join(line.where for line in missing[1:6])}" if missing[1:] else ""
    raise KconfigError(
        f"{first.where}: `{first.text}` did not survive olddefconfig: {why}"
        f" (correct the fragment, or mark the line `# optional: reason`){more}"
    )


def config_text(text: str) -> str:
    """The fragment `config` beside one of the kernel's own tests, in strict form with the same line numbers: real ones
    hold bare names, comments behind values and stray text."""
    lines = []
    for raw in text.splitlines():
        line = raw.strip()
        match = _LOOSE_REQUEST.match(line)
        if match:
            lines.append(f"{match[1]}={match[2] or 'y'}")
        else:
            lines.append(line if line.startswith("# CONFIG_") and line.endswith(" is not set") else "")
    return "\n".join(lines)
