# SPDX-License-Identifier: GPL-2.0-or-later
"""New selftests are built, run, ignored by git and say what they need (Documentation/dev-tools/kselftest.rst)."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from kernels.checks.check import Finding, Level, PatchInTree, StaticCheck

ROOT = "tools/testing/selftests"
_TARGET = re.compile(r"^TARGETS\s*\+?=([^#\n]*)", re.MULTILINE)
_BUILT = re.compile(r"^(?:TEST_GEN_PROGS|TEST_GEN_PROGS_EXTENDED)\w*\s*[:+]?=\s*((?:.*\\\n)*.*)$", re.MULTILINE)
_ASKS = re.compile(r"\bCONFIG_([A-Z0-9_]+)\b")
_MAIN = re.compile(r"^(?:int\s+main\s*\(|TEST_HARNESS_MAIN\b)", re.MULTILINE)


def _new(item: PatchInTree) -> list[PurePosixPath]:
    paths = (PurePosixPath(path) for status, path in item.changes if status == "A" and path.startswith(f"{ROOT}/"))
    return [path for path in paths if path.suffix in (".c", ".sh", ".py") and len(path.parts) > 4]


def _run(item: PatchInTree) -> Iterator[Finding]:
    new = [path for path in _new(item) if _is_test(item, path)]
    for path in new:
        yield from _listed(item, path)
        yield from _needs(item, path)
    for folder in dict.fromkeys(path.parent for path in _touched_configs(item)):
        yield from _unknown(item, folder)
    for folder in dict.fromkeys(path.parent for path in new):
        is_new = item.store.blob(item.before, f"{folder}/Makefile") is None
        if is_new:
            yield from _folder(item, folder)


def _is_test(item: PatchInTree, path: PurePosixPath) -> bool:
    """A program or a script; a file that others are built from has no `main`."""
    text = item.text(str(path)) or ""
    return bool(_MAIN.search(text)) if path.suffix == ".c" else text.startswith("#!")


def _listed(item: PatchInTree, path: PurePosixPath) -> Iterator[Finding]:
    makefile = item.text(f"{path.parent}/Makefile") or ""
    name = path.stem if path.suffix == ".c" else path.name
    if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", makefile):
        where = "TEST_GEN_PROGS" if path.suffix == ".c" else "TEST_PROGS"
        text = f"{path.parent}/Makefile names {name} nowhere, so nobody runs it: add it to {where}"
        yield Finding(str(path), 1, Level.WARNING, "selftest-not-built", text)
        return
    built = " ".join(_BUILT.findall(makefile)).split()
    if path.suffix == ".c" and name in built and not _ignored(item, path.parent, name):
        text = f"the program {name} that is built from it is not in {path.parent}/.gitignore"
        yield Finding(str(path), 1, Level.WARNING, "selftest-not-ignored", text)


def _needs(item: PatchInTree, path: PurePosixPath) -> Iterator[Finding]:
    """A test that speaks of an option (`needs CONFIG_USER_NS`) needs it: whoever builds a kernel for the tests merges
    the files `config`, and reads no sources."""
    text = item.text(f"{path.parent}/config")
    if text is None:
        return  # said of the folder as a whole
    named = set(_ASKS.findall(text))
    for number, line in item.added.get(str(path), {}).items():
        for option in _ASKS.findall(line):
            if option not in named:
                named.add(option)
                text = f"{path.name} speaks of CONFIG_{option}, which {path.parent}/config does not name"
                yield Finding(str(path), number, Level.NOTE, "selftest-config", text)


def _touched_configs(item: PatchInTree) -> list[PurePosixPath]:
    paths = (PurePosixPath(path) for path in item.added if path.startswith(f"{ROOT}/"))
    return [path for path in paths if path.name == "config" or path.name.startswith("config.")]


def _unknown(item: PatchInTree, folder: PurePosixPath) -> Iterator[Finding]:
    """A name that no Kconfig file has is passed over without a word when the files `config` are merged."""
    for path in _touched_configs(item):
        for number, line in item.added[str(path)].items() if path.parent == folder else ():
            for option in _ASKS.findall(line.partition(" #")[0]) if not line.startswith("# C") else ():
                if not item.grep(rf"^[[:space:]]*(menu)?config[[:space:]]+{option}[[:space:]]*$", ":(glob)**/Kconfig*"):
                    text = f"no Kconfig file defines {option}, so that this line asks for nothing"
                    yield Finding(str(path), number, Level.WARNING, "selftest-config-unknown", text)


def _ignored(item: PatchInTree, folder: PurePosixPath, name: str) -> bool:
    lines = (item.text(f"{folder}/.gitignore") or "").split()
    return any(PurePosixPath(name).match(line.strip("/")) for line in lines if line.strip("/"))


def _folder(item: PatchInTree, folder: PurePosixPath) -> Iterator[Finding]:
    name = str(folder.relative_to(ROOT))
    targets = " ".join(_TARGET.findall(item.text(f"{ROOT}/Makefile") or "")).split()
    if name not in targets:
        text = f"{ROOT}/Makefile does not have {name} in TARGETS, so nobody builds it"
        yield Finding(f"{folder}/Makefile", 0, Level.WARNING, "selftest-no-target", text)
    if item.text(f"{folder}/config") is None:
        text = f"{folder} has no file `config` that names the kconfig options its tests need"
        yield Finding(str(folder), 0, Level.NOTE, "selftest-no-config", text)


SELFTESTS = StaticCheck(
    "selftests", "new selftests are built, run and ignored by git, and say what they need",
    lambda item: bool(_new(item) or _touched_configs(item)), _run,
)  # fmt: skip
