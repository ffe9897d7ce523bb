# SPDX-License-Identifier: GPL-2.0-or-later
"""A tree of the store with other content in a few files."""

from collections.abc import Mapping

from kernels.source.git import require
from kernels.source.store import Store


def changed_tree(store: Store, tree: str, files: Mapping[str, str]) -> tuple[str, str]:
    """(commit, tree) of `tree` with these texts in place of what its files hold. The files are there already."""
    with store.scratch() as folder:
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        require(store.run("read-tree", tree, env=env))
        for path, text in files.items():
            data = text.encode("utf-8", "surrogateescape")
            blob = require(store.run("hash-object", "-w", "--stdin", data=data)).decode().strip()
            require(store.run("update-index", "--cacheinfo", f"100644,{blob},{path}", env=env))
        made = require(store.run("write-tree", env=env)).decode().strip()
    commit = store.git("commit-tree", made, "-m", "mutants of a series").strip()
    return commit, made
