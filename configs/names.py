# SPDX-License-Identifier: GPL-2.0-or-later
"""The names that a profile or the command line may use, found without the model: to import that takes longer than a
shell waits for its completions."""

import difflib
from collections.abc import Iterable
from typing import Any

import yaml

from util.paths import CONFIGS

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quickest safe loader that is installed."""

LAYOUT, SIZE, CHECKPATCH, CHECKS = "layout", "size", "checkpatch", "checks"
BENCHMARK = "benchmark/"
"""How the name of every suite of benchmarks begins."""
STATIC = (LAYOUT, SIZE, CHECKPATCH, CHECKS)
"""Suites without guests: what is read from the kernels and the patches themselves."""
OF_PATCHES = (CHECKPATCH, CHECKS)
"""Those of them that need no kernel."""


def names(kind: str) -> list[str]:
    """The names of all files of one kind (`archs`, `profiles`), sorted."""
    return sorted(path.stem for path in (CONFIGS / kind).glob("*.yaml"))


def raw(kind: str, name: str) -> dict[str, Any]:
    """One of the rig's own files as it stands there, unchecked."""
    text = (CONFIGS / kind / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe one
    return found


def flavours() -> list[str]:
    """The names of all flavours, `plain` first."""
    files = (CONFIGS / "fragments").glob("flavour-*.config")
    return ["plain", *sorted(path.stem.removeprefix("flavour-") for path in files)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error line that offers the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
