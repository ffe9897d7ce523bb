# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks gcov, and the preprocessor, about the lines of a finished build.

gcov's JSON (gcov(1), --json-format) has a line once for each function that it belongs to: an inline function's lines
come with every function that it was built into. A line was executed as often as all of them together.
"""

import gzip
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configs.model import Arch
from kernels.build.make.compiler import prefix
from kernels.build.make.recipe import ENVIRONMENT
from kernels.build.units import Unit, bare_command
from kernels.sandbox.room import BESIDE, OUT, SRC, Room
from util.stop import Stop

DEBUGFS = f"/sys/kernel/debug/gcov{OUT}"
"""Where a guest's kernel shows the counters: below it stands the path of the output folder, as the compiler saw it."""
_LIMIT = 64 << 20  # bytes of gcov's answer
_MARKER = re.compile(r'^# (\d+) "((?:[^"\\]|\\.)*)"')

Counts = dict[str, dict[int, int]]
"""path in the tree -> line (from 1) -> how often it was executed."""


def counters_of(target: str) -> str:
    """The guest's file with the counters of an object: `kernel/fork.o`."""
    return f"{DEBUGFS}/{target.removesuffix('.o')}.gcda"


def read_counts(arch: Arch, target: str, counters: bytes, objects: Path, source: Path, stop: Stop) -> Counts:
    """What gcov makes of an object's counters. Raises ValueError where it makes nothing of them."""
    with tempfile.TemporaryDirectory(prefix="rig-gcov-") as name:
        beside = Path(name) / "beside"
        beside.mkdir()
        notes = objects / f"{target.removesuffix('.o')}.gcno"
        if not notes.is_file() or notes.is_symlink():
            raise ValueError(f"{target}: the build left no notes for gcov")
        shutil.copyfile(notes, beside / "unit.gcno")
        (beside / "unit.gcda").write_bytes(counters)
        log = Path(name) / "log"
        log.touch()
        command = f"cd {BESIDE} && exec {prefix(arch)}gcov --json-format unit.gcda"
        status = Room("bwrap", source, objects, beside=beside).run(("sh", "-c", command), ENVIRONMENT, log, stop)
        made = [path for path in beside.glob("*.gcov.json.gz") if path.is_file() and not path.is_symlink()]
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if status != 0 or len(made) != 1:
            raise ValueError(f"{target}: gcov cannot read the counters: {said[0] if said else f'status {status}'}")
        with gzip.open(made[0]) as file:
            content = file.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise ValueError(f"{target}: gcov's answer is larger than {_LIMIT >> 20} MB")
    return counts(json.loads(content))


def counts(answer: dict[str, Any]) -> Counts:
    """gcov's JSON as counts by path and line."""
    found: Counts = {}
    for file in answer["files"]:
        lines = found.setdefault(_in_tree(file["file"]), {})
        for line in file["lines"]:
            lines[line["line_number"]] = lines.get(line["line_number"], 0) + line["count"]
    return found


def active_lines(unit: Unit, path: str, objects: Path, source: Path, stop: Stop) -> set[int]:
    """The lines of the file `path` of which the preprocessor leaves anything when it makes `unit`."""
    with tempfile.TemporaryDirectory(prefix="rig-gcov-") as name:
        beside = Path(name) / "beside"
        beside.mkdir()
        log = Path(name) / "log"
        log.touch()
        if Room("bwrap", source, objects, beside=beside).run(_preprocess(unit), ENVIRONMENT, log, stop) != 0:
            return set()
        made = beside / "unit.i"
        if made.is_symlink() or not made.is_file():
            return set()
        return set(left_of(made.read_text(encoding="utf-8", errors="replace"), path))


def left_of(text: str, path: str) -> Iterator[int]:
    """The lines of `path` that are not empty in the preprocessor's output."""
    number, mine = 0, False
    for line in text.split("\n"):
        if match := _MARKER.match(line):
            number, mine = int(match[1]), _in_tree(match[2]) == path
            continue
        if mine and line.strip():
            yield number
        number += 1


def _preprocess(unit: Unit) -> tuple[str, ...]:
    return (*bare_command(unit), "-w", "-E", "-o", f"{BESIDE}/unit.i", f"{SRC}/{unit.source}")


def _in_tree(name: str) -> str:
    return name.removeprefix(f"{SRC}/").removeprefix("./")
