# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds of the kernel in miniature (`tests/fakekernel`): a tree to edit, snapshots of it, and a cache of its own."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from configs.loader import load_arch
from kernels.build.build import Build, BuildStore, KernelRequest, build_kernel
from kernels.kconfig.fragments import inline_fragment
from kernels.source.git import require
from kernels.source.store import Store
from util.children.jobserver import Jobserver
from util.events import Event
from util.stop import Stop

FAKE = Path(__file__).parent.parent / "fakekernel"


class Snapshots(Store):
    """A store of sources into which a folder is taken as it stands."""

    def take(self, folder: Path) -> tuple[str, str]:
        """(commit, tree) of the folder as it is now."""
        with self.scratch() as scratch:
            env = {"GIT_INDEX_FILE": str(scratch / "index"), "GIT_WORK_TREE": str(folder)}
            require(self.run("add", "--all", "--force", "--", ".", env=env))
            tree = os.fsdecode(require(self.run("write-tree", env=env))).strip()
        return self.adopt(tree), tree


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
