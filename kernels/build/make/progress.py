# SPDX-License-Identifier: GPL-2.0-or-later
"""The progress of a build: the targets that make has named, and an estimate of how many a first build will name.

The estimate is read from the kernel's Makefiles and is for display only. Only the common forms are understood (`obj-y`,
`obj-$(CONFIG_X)`, `name-objs`, `name-y`, `ifdef` and `ifeq`); Documentation/kbuild/makefiles.rst describes them. On
5.10 the answer is within a tenth of the truth.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernels.build.diagnostics import target_of
from util.events import Event, Listener, Phase
from util.text import duration

_TOP = (
    *("init", "usr", "kernel", "certs", "mm", "fs", "ipc", "security", "crypto", "block", "io_uring", "rust"),
    *("drivers", "sound", "net", "lib", "virt"),
)
_LIST = re.compile(r"(?P<name>[\w-]+)-(?P<when>y|objs|\$\(CONFIG_\w+\))\s*[:+]?=\s*(?P<items>.*)")
_IF = re.compile(
    r"(?P<not>ifn?def)\s+CONFIG_(?P<symbol>\w+)|(?P<eq>ifn?eq)\s*\(\$\(CONFIG_(?P<other>\w+)\),\s*(?P<value>y?)\)"
)
_OBJECTS = ("obj", "lib", "setup", "vmlinux-objs", "vobjs")
_HOST_AND_LINK = 140  # host programs, generated headers, the links: counted on 5.10


def estimate_targets(tree: Path, srcarch: str, config: Mapping[str, str]) -> int:
    """About how many targets make will name; 0 for a tree that does not look like a kernel's."""
    counter = _Counter(tree, config)
    for folder in (*_TOP, f"arch/{srcarch}", f"arch/{srcarch}/boot", f"arch/{srcarch}/boot/compressed"):
        counter.folder(folder)
    counter.folders_of(tree / "arch" / srcarch / "Makefile")
    return counter.count + _HOST_AND_LINK if counter.count else 0


class _Counter:
    def __init__(self, tree: Path, config: Mapping[str, str]) -> None:
        self.count = 0
        self._tree = tree
        self._config = config
        self._seen: set[str] = set()

    def folder(self, name: str) -> None:
        """Counts one folder, its archive, and the folders that it descends into."""
        path = next(
            (file for file in (self._tree / name / "Kbuild", self._tree / name / "Makefile") if file.is_file()), None
        )
        if path is None or name in self._seen or ".." in Path(name).parts:
            return
        self._seen.add(name)
        self.count += 1
        lists: dict[str, list[str]] = {}
        for key, items in self._lists(path):
            lists.setdefault(key, []).extend(items)
        for item in [item for key in _OBJECTS for item in lists.get(key, ())]:
            if item.endswith("/"):
                self.folder(f"{name}/{item.rstrip('/')}")
            elif item.endswith(".o"):
                parts = [part for part in lists.get(item.removesuffix(".o"), ()) if part.endswith(".o")]
                self.count += len(parts) or 1

    def folders_of(self, makefile: Path) -> None:
        """Counts the folders that an architecture's Makefile adds to the kernel."""
        if not makefile.is_file():
            return
        for key, items in list(self._lists(makefile)):
            if key in ("core", "drivers", "libs"):
                for item in items:
                    self.folder(item.rstrip("/"))

    def _lists(self, path: Path) -> Iterator[tuple[str, list[str]]]:
        """(name, words) of every list of objects that the configuration switches on."""
        active = [True]
        for line in _lines(path):
            word = line.split(None, 1)[0] if line.strip() else ""
            if word.startswith("if"):
                active.append(active[-1] and self._holds(line))
            elif word == "else" and len(active) > 1:
                active[-1] = active[-2] and not active[-1]
            elif word == "endif" and len(active) > 1:
                active.pop()
            elif active[-1] and (match := _LIST.match(line)) and self._on(match["when"]):
                yield match["name"], match["items"].split()

    def _on(self, when: str) -> bool:
        return when in ("y", "objs") or self._config.get(when[len("$(CONFIG_") : -1], "n") == "y"

    def _holds(self, line: str) -> bool:
        match = _IF.match(line.strip())
        if not match:
            return True
        value = self._config.get(match["symbol"] or match["other"], "")
        truth = bool(value) if match["not"] else value == match["value"]
        return truth != ("n" in (match["not"] or match["eq"])[2:3])


def _lines(path: Path) -> Iterator[str]:
    """Logical lines: comments cut off, continued ones joined."""
    held = ""
    for raw in path.read_text(encoding="utf-8", errors="replace").splitlines():
        line = held + raw.split("#", 1)[0].rstrip()
        if line.endswith("\\"):
            held = line[:-1] + " "
        else:
            held = ""
            yield line


_LEAST, _PART = 10, 0.02
"""Targets, and their part of all, from which on an estimate is shown: the first ones are slow."""


@dataclass(slots=True)
class Progress:
    """Counts the targets that make names, and estimates the remaining time from the mean time of one: of those behind
    the first, which waits for the configuration, and not before enough of them are done to go by."""

    emit: Listener
    step: str
    total: int
    done: int = 0
    first: float = 0.0
    shown: float = 0.0

    def line(self, line: str) -> None:
        if not (target := target_of(line)):
            return
        now = time.monotonic()
        self.first = self.first or now
        self.done += 1
        if now - self.shown < 0.2:
            return
        self.shown = now
        total = self.total if self.done <= self.total else 0  # more than was expected: then it is not known
        told = total > self.done > max(_LEAST, _PART * total)
        left = (now - self.first) / (self.done - 1) * (total - self.done) if told else 0.0
        text = f"{target}, about {duration(left)} left" if told else target
        self.emit(Event(self.step, Phase.PROGRESS, text, self.done, total, "objects"))
