# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds definitions of structs in C text, without a compiler, to tell which ones a series touches."""

import re
from collections.abc import Iterable

from kernels.source.store import Trees

_NOISE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_DEFINITION = re.compile(r"\bstruct\s+(?:__\w+(?:\(\(?[^(){}]*\)?\))?\s+)*(?P<name>[A-Za-z_]\w*)\s*\{")
_BRACE = re.compile(r"[{}]")


def struct_definitions(text: str) -> dict[str, tuple[str, ...]]:
    """Name -> the bodies of each struct that `text` defines, also inside of others; in one form whatever the blanks and
    comments. A struct has several bodies where the preprocessor chooses one."""
    clean = _NOISE.sub(lambda match: " " if match[0].startswith("/") else '""', text)
    found: dict[str, tuple[str, ...]] = {}
    for match in _DEFINITION.finditer(clean):
        body = " ".join(clean[match.end() : _closing(clean, match.end())].split())
        found[match["name"]] = (*found.get(match["name"], ()), body)
    return found


def _closing(text: str, start: int) -> int:
    """The index of the brace that closes the one before `start`; the end of the text where none does."""
    depth = 1
    for match in _BRACE.finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(text)


def touched_structs(store: Trees, before: str, after: str) -> dict[str, str]:
    """Struct -> the file that defines it, for each struct of a kernel's C files whose definition differs between two
    trees: changed, new or gone. User programs (`tools`, `samples`, `scripts`) are no part of a kernel."""
    found: dict[str, str] = {}
    for _status, path in store.changed_paths(before, after):
        if path.endswith((".c", ".h")) and not path.startswith(("tools/", "samples/", "scripts/", "Documentation/")):
            old, new = (struct_definitions(_text(store, tree, path)) for tree in (before, after))
            found |= dict.fromkeys(_different(old, new), path)
    return found


def _different(old: dict[str, tuple[str, ...]], new: dict[str, tuple[str, ...]]) -> Iterable[str]:
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _text(store: Trees, tree: str, path: str) -> str:
    return (store.blob(tree, path) or b"").decode("utf-8", "replace")
