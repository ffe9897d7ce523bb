# SPDX-License-Identifier: GPL-2.0-only
"""Builds of the kernel in miniature (`tests/fakekernel`): a tree to edit, snapshots of it, and a cache of its own."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from configs.events import Event, Listener
from configs.loader import load_arch
from configs.stop import Stop
from kernels.build import Build, BuildStore, KernelRequest, build_kernel
from kernels.jobserver import Jobserver
from kernels.kconfig import inline_fragment
from kernels.reuse import Changes

FAKE = Path(__file__).parent.parent / "fakekernel"


class Snapshots:
    """A store of sources made of whole copies: the commit is the copy's folder, the tree a digest of its content."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, dict[str, bytes]] = {}

    def take(self, folder: Path) -> tuple[str, str]:
        """(commit, tree) of the folder as it is now."""
        files = {
            str(path.relative_to(folder)): (b"->" + bytes(path.readlink()) if path.is_symlink() else path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_symlink() or path.is_file()
        }
        tree = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        copy = self.root / tree
        if not copy.exists():
            shutil.copytree(folder, copy, symlinks=True)
        self.files[tree] = files
        return str(copy), tree

    def changed_paths(self, tree_a: str, tree_b: str) -> Changes:
        old, new = self.files[tree_a], self.files[tree_b]
        changes = [("A" if path not in old else "D" if path not in new else "M", path) for path in old.keys() | new]
        return sorted((status, path) for status, path in changes if old.get(path) != new.get(path))

    @contextmanager
    def worktree(self, commit: str, emit: Listener, stop: Stop) -> Iterator[Path]:
        del emit, stop
        yield Path(commit)


@dataclass
class Lab:
    """One source folder that the test edits, and the builds made of it."""

    root: Path
    jobs: Jobserver
    arch: str = "x86_64"
    config: tuple[str, ...] = ("CONFIG_SECCOMP=y",)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = self.root / "source"
        shutil.copytree(FAKE, self.source)
        (self.root / "trees").mkdir()
        self.store = Snapshots(self.root / "trees")
        self.builds = BuildStore(self.root / "builds")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replaces `old`, which must be there, in a file of the source."""
        file = self.source / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def add(self, path: str, text: str) -> None:
        (self.source / path).write_text(text)

    def delete(self, path: str) -> None:
        (self.source / path).unlink()

    def request(self, taint: str = "", label: str = "fake") -> KernelRequest:
        commit, tree = self.store.take(self.source)
        fragment = inline_fragment("lab", self.config)
        return KernelRequest(load_arch(self.arch), commit, tree, (fragment,), label, taint)

    def build(self, stop: Stop | None = None, taint: str = "", nearest: Build | None = None) -> Build:
        """Builds the source as it is, from whatever is nearest in the lab's cache."""
        request = self.request(taint)
        return build_kernel(request, self.store, self.jobs, self.events.append, stop or Stop(), nearest, self.builds)

    def clean_build(self) -> Build:
        """Builds the source as it is in a new, empty cache."""
        fresh = BuildStore(self.root / f"clean-{len(list(self.root.iterdir()))}")
        return build_kernel(self.request(), self.store, self.jobs, self.events.append, Stop(), None, fresh)

    def texts(self) -> list[str]:
        return [event.text for event in self.events]


def same_outputs(one: Build, other: Build) -> bool:
    """Whether two builds yielded the same bytes and the same warnings."""
    names = ("image", "vmlinux", "System.map", "config")
    equal = all(one.output(name).read_bytes() == other.output(name).read_bytes() for name in names)
    return equal and one.warnings == other.warnings
