# SPDX-License-Identifier: GPL-2.0-or-later
"""Loadable modules in a target's own folder: `TEST_GEN_MODS_DIR` of its Makefile (tools/testing/selftests/lib.mk, from
6.9) names a folder below it, which kbuild is to make against the kernel under test."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from kernels.build.external_modules import ModuleSources
from testcases.selftests import SELFTESTS

if TYPE_CHECKING:
    from kernels.source.store import Store

_VARIABLE = "TEST_GEN_MODS_DIR"
NO_MODULES = f"{_VARIABLE}="
"""For the make of a target's programs, which would build the modules against the kernel of the host, if any."""
_NAMED = re.compile(
    rf"^[ \t]*{_VARIABLE}[ \t]*[:+?]{{0,2}}=[ \t]*(?P<folder>\w[\w.+/-]*)[ \t]*(?:#.*)?\r?$", re.MULTILINE
)
CONFIG = (
    "CONFIG_MODULES=y",
    "CONFIG_MODULE_UNLOAD=y",
    # One module of the kernel's own, so that `make modules` runs, which writes what the kernel exports.
    "CONFIG_RUNTIME_TESTING_MENU=y",
    "CONFIG_TEST_LKM=m",
)
"""What a kernel needs that such modules are built against."""


def modules_folder(makefile: str) -> str:
    """The folder that the text of a target's Makefile names, below the target's own; empty for none."""
    match = _NAMED.search(makefile)
    return match["folder"].rstrip("/") if match and ".." not in match["folder"].split("/") else ""


def folder_in(tree: Path, target: str) -> str:
    """The same of a checkout."""
    makefile = tree / SELFTESTS / target / "Makefile"
    return modules_folder(makefile.read_text(encoding="utf-8", errors="replace")) if makefile.is_file() else ""


def find_modules(store: "Store", commit: str, target: str) -> ModuleSources | None:
    """The sources of a target's modules: that folder, and the headers that stand beside it; None where the target has
    none, or names a folder that is not there."""
    top = f"{SELFTESTS}/{target}"
    folder = modules_folder((store.blob(commit, f"{top}/Makefile") or b"").decode("utf-8", "replace"))
    if not folder:
        return None
    paths = [path.removeprefix(f"{top}/") for path in store.files(commit, top)]
    wanted = [path for path in paths if path.startswith(f"{folder}/") or path.endswith(".h")]
    files = tuple((path, store.blob(commit, f"{top}/{path}") or b"") for path in sorted(wanted))
    if not any(path.startswith(f"{folder}/") for path, _content in files):
        return None
    return ModuleSources(f"selftests/{target}", files, folder)
