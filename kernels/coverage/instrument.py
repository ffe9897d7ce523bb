# SPDX-License-Identifier: GPL-2.0-or-later
"""A tree whose Makefiles have the compiler count the lines of a few objects, and of no other.

With CONFIG_GCOV_KERNEL a Makefile's `GCOV_PROFILE_main.o := y` is for one object (Documentation/dev-tools/gcov.rst). To
count in every object, as GCOV_PROFILE_ALL does, makes the kernel three times as large and all of it slower.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from kernels.source.store import Store, changed_tree

_FLAG = "-fno-early-inlining"
"""gcc puts small functions into their callers before it adds the counters, and then counts them for the callers alone:
gcc 12.2 says 0 of lines that were executed 6 times."""
_MAKEFILES = ("Kbuild", "Makefile")
"""In the order in which kbuild looks for them (scripts/Makefile.build)."""


def counting_tree(store: Store, tree: str, targets: Iterable[str]) -> tuple[str, str]:
    """(commit, tree) of `tree` with the objects `targets` (`kernel/fork.o`) counting."""
    lines: dict[str, list[str]] = {}
    for target in sorted(set(targets)):
        makefile = _makefile(store, tree, PurePosixPath(target).parent)
        if makefile is None:
            continue
        name = str(PurePosixPath(target).relative_to(PurePosixPath(makefile).parent))
        # A name below the Makefile's folder is known by its last part before 6.9, and by all of it since.
        for one in dict.fromkeys((name, PurePosixPath(name).name)):
            lines.setdefault(makefile, []).extend((f"GCOV_PROFILE_{one} := y", f"CFLAGS_{one} += {_FLAG}"))
    files = {path: _with_lines(store, tree, path, added) for path, added in lines.items()}
    return changed_tree(store, tree, files)


def _makefile(store: Store, tree: str, folder: PurePosixPath) -> str | None:
    """The one that has the objects of a folder made: the folder's own, or that of one above it."""
    for place in (folder, *folder.parents):
        for name in _MAKEFILES:
            path = str(place / name)
            if str(place) != "." and store.path_id(tree, path) is not None:
                return path
    return None


def _with_lines(store: Store, tree: str, path: str, lines: Iterable[str]) -> str:
    text = (store.blob(tree, path) or b"").decode("utf-8", "surrogateescape")
    return "\n".join((text.rstrip("\n"), *lines, ""))
