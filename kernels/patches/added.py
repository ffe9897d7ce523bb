# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines of C that a series adds, as they stand in its last tree, each with the number of its patch."""

import re
from collections.abc import Sequence

from kernels.source.git import require
from kernels.source.store import Store

_HEAD = re.compile(r"^([0-9a-f]{40}) \d+ (\d+)")
NO_KERNEL = ("tools/", "samples/", "scripts/", "Documentation/", "usr/")
"""Folders whose C is no part of a kernel."""

Added = dict[str, dict[int, int]]
"""path -> line (from 1) -> number of the patch (from 1; 0 where the series is one step)."""


def added_lines(store: Store, base: str, judged: str, suffixes: Sequence[str] = (".c", ".h")) -> Added:
    """`base` and `judged` are commits; the series' commits lie between them, one for each patch."""
    order = {commit: number for number, commit in enumerate(_commits(store, base, judged), 1)}
    found: Added = {}
    for status, path in store.changed_paths(store.tree_of(base), store.tree_of(judged)):
        if status != "D" and path.endswith(tuple(suffixes)) and not path.startswith(NO_KERNEL):
            said = require(store.run("blame", "-s", "--line-porcelain", f"{base}..{judged}", "--", path))
            lines = _blamed(said.decode("utf-8", "replace"), order)
            if lines:
                found[path] = lines
    return found


def _commits(store: Store, base: str, judged: str) -> list[str]:
    return store.git("rev-list", "--reverse", "--first-parent", f"{base}..{judged}").split()


def _blamed(text: str, order: dict[str, int]) -> dict[int, int]:
    heads = (match for line in text.split("\n") if (match := _HEAD.match(line)))
    return {int(match[2]): order[match[1]] for match in heads if match[1] in order}
