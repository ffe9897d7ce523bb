# SPDX-License-Identifier: GPL-2.0-or-later
"""What a series changes in the kernel's binary: sizes of objects and of the functions and variables in them.

Compared are the objects of two finished builds, not the linked kernels: in an object every reference has a name, so a
function that only moved is told from one that changed.
"""

import filecmp
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kernels.binary.object_code import NOTHING, ObjectCode, Sizes, loaded_digest, read_object
from kernels.binary.same_code import same_code
from kernels.build.store.manifest import Build
from util.files.seal import sealed_json, unsealed_json

FORMAT = 1
"""Incremented with every change of the stored format or of the method."""

_OUTSIDE = ("tools", "scripts", "usr")
"""Folders of an output folder whose programs run on the host."""
_WHOLE = {"piggy.o", "vmlinux.o", "header.o"}
"""Objects that hold the linked kernel, or say how long it is when it is compressed: it has a build id."""


@dataclass(frozen=True, slots=True)
class SymbolChange:
    """A function or variable whose code or content differs. Sizes in bytes, None where a build does not have it."""

    name: str
    before: int | None
    after: int | None

    @property
    def growth(self) -> int:
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object that differs in what is loaded. Sizes are zero where a build does not have it; `path` is in the output
    folder. Without `symbols` the difference lies in what has no name."""

    path: str
    before: Sizes
    after: Sizes
    symbols: tuple[SymbolChange, ...]


@dataclass(frozen=True, slots=True)
class SizeChange:
    """What differs between two kernels: `same` is `same_kernel`'s answer; the sizes are those of both vmlinux."""

    same: bool
    before: Sizes
    after: Sizes
    objects: tuple[ObjectChange, ...]


class SizeError(Exception):
    """Why two builds cannot be compared; one line."""


def same_kernel(base: Build, patched: Build) -> bool:
    """Whether both builds boot the same binary: equal image files, or equal in all that is loaded but the build id.

    A build id is a digest that also covers line numbers, so it differs where a comment does. The caller has to see
    to it that the sources of the boot code itself (`arch/*/boot`) are the same.
    """
    if filecmp.cmp(base.output("image"), patched.output("image"), shallow=False):
        return True
    if known := kept_change(base, patched):
        return known.same
    folders = base.folder / "objects", patched.folder / "objects"
    if not all(folder.is_dir() for folder in folders):
        return False
    try:
        if loaded_digest(base.output("vmlinux")) != loaded_digest(patched.output("vmlinux")):
            return False
        # what is around the kernel proper in an image: its decompressor and boot code
        boot = (path for path in _unequal_files(*folders) if "boot" in Path(path).parts)
        return all(_same_load(*folders, path) for path in boot)
    except ValueError:
        return False


def measure_change(base: Build, patched: Build) -> SizeChange:
    """All that differs between two builds, kept beside the patched one. Raises SizeError where one has lost its objects
    or holds what is no object."""
    if known := kept_change(base, patched):
        return known
    before, after = base.folder / "objects", patched.folder / "objects"
    if not (before.is_dir() and after.is_dir()):
        raise SizeError("the objects of a build are gone")
    try:
        one, other = (read_object(build.output("vmlinux"), bodies=False).sizes for build in (base, patched))
        objects = changed_objects(before, after)
    except ValueError as error:
        raise SizeError(str(error)) from None
    found = SizeChange(same_kernel(base, patched), one, other, tuple(objects))
    _write(_kept(base, patched), found)
    return found


def kept_change(base: Build, patched: Build) -> SizeChange | None:
    """What `measure_change` answered before; None where it was never asked."""
    return _read(_kept(base, patched))


def _kept(base: Build, patched: Build) -> Path:
    return patched.folder / f"size-{base.key}.json"


def changed_objects(before: Path, after: Path) -> list[ObjectChange]:
    """Every object that differs between two output folders of finished builds, by path. Raises ValueError."""
    return [
        _change(before, after, path) for path in _unequal_files(before, after) if not _same_load(before, after, path)
    ]


def _unequal_files(before: Path, after: Path) -> Iterator[str]:
    """The objects that differ in anything at all, down to the line numbers, or that one build lacks."""
    for path in sorted(_objects(before) | _objects(after)):
        one, other = before / path, after / path
        if not (one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)):
            yield path


def _objects(folder: Path) -> set[str]:
    found = set()
    for root, dirs, files in os.walk(folder):
        if Path(root) == folder:
            dirs[:] = [name for name in dirs if name not in _OUTSIDE]
        names = (Path(root, name) for name in files if name.endswith(".o") and name not in _WHOLE)
        found |= {str(path.relative_to(folder)) for path in names if not path.is_symlink()}
    return found


def _same_load(before: Path, after: Path, path: str) -> bool:
    one, other = before / path, after / path
    return one.is_file() and other.is_file() and loaded_digest(one) == loaded_digest(other)


def _change(before: Path, after: Path, path: str) -> ObjectChange:
    one, other = (read_object(folder / path) if (folder / path).is_file() else NOTHING for folder in (before, after))
    return ObjectChange(path, one.sizes, other.sizes, tuple(_symbols(one, other)))


def _symbols(one: ObjectCode, other: ObjectCode) -> Iterator[SymbolChange]:
    """What changed most first, as bloat-o-meter has it."""
    changes = []
    for name in one.bodies.keys() | other.bodies.keys():
        old, new = one.bodies.get(name), other.bodies.get(name)
        if old is None or new is None or not same_code(one.machine, old, new):
            changes.append(SymbolChange(name, old.size if old else None, new.size if new else None))
    yield from sorted(changes, key=lambda change: (-abs(change.growth), change.name))


def _write(path: Path, found: SizeChange) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(sealed_json({"format": FORMAT, **asdict(found)}), encoding="utf-8")
    temporary.replace(path)


def _read(path: Path) -> SizeChange | None:
    try:
        data = unsealed_json(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            return None
        objects = (
            ObjectChange(
                item["path"],
                Sizes(**item["before"]),
                Sizes(**item["after"]),
                tuple(SymbolChange(**symbol) for symbol in item["symbols"]),
            )
            for item in data["objects"]
        )
        return SizeChange(data["same"], Sizes(**data["before"]), Sizes(**data["after"]), tuple(objects))
    except (OSError, ValueError, TypeError, KeyError):
        return None
