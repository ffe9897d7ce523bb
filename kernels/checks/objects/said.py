# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the log of a make of single objects: what the compiler and sparse said of each, or why there is no object."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from kernels.build.diagnostics import BuildWarning, find_warnings, first_error, target_of
from kernels.sandbox.room import OUT, SRC

PREFIXES = (f"{SRC}/", f"{OUT}/")
_SPARSE = re.compile(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*)$")
_DETAIL = re.compile(r"^[^\s:][^:]*:\d+:\d+:\s{2,}(?P<text>\S.*)$")
_OLD = re.compile(r"^\*\*\*\s+(?:Your (?P<tool>.+?) version:\s+(?P<has>\S+)|Minimum .+? version:\s+(?P<wants>\S+))$")


@dataclass(frozen=True, slots=True)
class FileMessages:
    """What was said of one C file. `built` is False where the configuration has no such object; `failure` is the first
    error, empty where the object was made."""

    warnings: tuple[BuildWarning, ...] = ()
    sparse: tuple[BuildWarning, ...] = ()
    failure: str = ""
    built: bool = True


def object_of(path: str) -> str:
    """`kernel/fork.o` of `kernel/fork.c`."""
    return f"{path.removesuffix('.c')}.o"


def read_log(
    lines: Iterable[str], paths: Iterable[str], made: Collection[str], prepared: bool
) -> dict[str, FileMessages]:
    """What a log says of each of `paths`. `made` are the objects that are there afterwards; `prepared`: what every
    object needs could be made, so that a file of which the log says nothing is no part of this configuration."""
    kept = list(lines)
    by_target: dict[str, list[str]] = {}
    target = ""
    for line in kept:
        if new := target_of(line):
            target = new.removeprefix(f"{SRC}/")
        by_target.setdefault(target, []).append(line)
    return {path: _said(path, kept, by_target, made, prepared) for path in paths}


def _said(
    path: str, whole: list[str], by_target: Mapping[str, list[str]], made: Collection[str], prepared: bool
) -> FileMessages:
    own, sparse = by_target.get(object_of(path), []), _sparse(by_target.get(path, []))
    if object_of(path) not in made:
        if why := first_error(own, PREFIXES):
            return FileMessages((), sparse, why)
        if prepared:
            return FileMessages(built=False)
        return FileMessages(failure=first_error(whole, PREFIXES) or "make left no object and said nothing")
    found = (item for items in find_warnings(own, PREFIXES).values() for item in items)
    return FileMessages(tuple(item for item in found if item.option), sparse)


def _sparse(lines: Iterable[str]) -> tuple[BuildWarning, ...]:
    """The detail of a complaint stands in the lines behind it: `expected int *p`, `got void *`."""
    found: list[BuildWarning] = []
    for line in lines:
        if match := _SPARSE.match(line):
            file = match["file"]
            for prefix in PREFIXES:
                file = file.removeprefix(prefix)
            found.append(BuildWarning(file.removeprefix("./"), int(match["line"]), match["text"].rstrip(":")))
        elif found and (detail := _DETAIL.match(line)):
            last = found[-1]
            text = f"{last.text}; {' '.join(detail['text'].split())}"
            found[-1] = BuildWarning(last.file, last.line, text)
    return tuple(found)


def too_old(lines: Iterable[str]) -> str:
    """Why the kernel's build refuses the compiler for its age (its scripts/cc-version.sh); empty where it does not."""
    tool = has = wants = ""
    for line in lines:
        if match := _OLD.match(line):
            tool, has, wants = match["tool"] or tool, match["has"] or has, match["wants"] or wants
    return f"{tool} {has} is too old for this kernel, which wants {wants}" if tool and wants else ""
