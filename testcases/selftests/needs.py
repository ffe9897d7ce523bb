# SPDX-License-Identifier: GPL-2.0-or-later
"""What keeps a target from running here: the table `needs.yaml`, read for one architecture on one machine."""

import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from configs.loader import load
from configs.model import Arch, Strict
from testcases.selftests import SELFTESTS, topics
from testcases.suite import TopicOffer

FILE = Path(__file__).with_name("needs.yaml")
_TARGETS = re.compile(r"^TARGETS\s*[+:]?=\s*(.*)$", re.MULTILINE)
BY_NAME = "by name"


class Need(Strict):
    """What the targets of `targets` (globs, whose `*` takes in slashes) need and do not get. `archs`: they
    have it on these architectures; `command`, `file`: they have it where the machine that builds has this command, or
    this file."""

    kind: Literal["hardware", "architecture", "kernel", "tool", "toolchain", "time"]
    reason: str = Field(min_length=1)
    targets: tuple[str, ...]
    archs: tuple[str, ...] = ()
    command: str = ""
    file: str = ""

    def names(self, target: str) -> bool:
        return any(fnmatchcase(target, pattern) for pattern in self.targets)

    def met(self, arch: Arch) -> bool:
        here = (self.command and shutil.which(self.command)) or (self.file and Path(self.file).exists())
        return arch.name in self.archs or bool(here)


class _Table(Strict):
    needs: tuple[Need, ...]


@cache
def table() -> tuple[Need, ...]:
    """Raises UserError with file and line for a mistake in the file."""
    return load(FILE, _Table).needs


def unmet(target: str, arch: Arch) -> Need | None:
    """The first need of a target that is not met."""
    return next((need for need in table() if need.names(target) and not need.met(arch)), None)


def listed(tree: Path) -> frozenset[str]:
    """The targets that the tree's own Makefile runs by default: the words of `TARGETS`, without `TARGETS_HOTPLUG`."""
    makefile = tree / SELFTESTS / "Makefile"
    if not makefile.is_file():
        return frozenset()
    text = makefile.read_text(encoding="utf-8", errors="replace")
    return frozenset(word for line in _TARGETS.findall(text) for word in line.split("#")[0].split() if "$" not in word)


def offers(tree: Path, arch: Arch) -> Iterator[TopicOffer]:
    """Every target of the tree. One that the tree does not list in `TARGETS` is run by its parent, or by hand only, and
    so runs here where it is named."""
    known = listed(tree)
    for target in topics(tree):
        if need := unmet(target, arch):
            yield TopicOffer(target, need.kind, need.reason)
        elif known and target not in known:
            yield TopicOffer(target, BY_NAME, "is not among the TARGETS of the tree, and runs where it is named")
        else:
            yield TopicOffer(target)
