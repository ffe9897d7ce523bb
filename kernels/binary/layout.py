# SPDX-License-Identifier: GPL-2.0-or-later
"""The layout of structs in one finished build. The answer is kept beside the build, so it costs a compiler once."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kernels.binary.dwarf import Member, StructLayout, read_structs
from kernels.binary.structs import struct_definitions
from kernels.build.debug_compile import LayoutError, debug_object
from kernels.build.store.manifest import Build
from kernels.build.units import Unit, Units
from util.files.seal import sealed_json, unsealed_json
from util.stop import Stop

FORMAT = 1
"""Incremented with every change of the stored format or of the method."""


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """One struct. `path` is the file of the tree that defines it; empty: whichever of those that were built does."""

    name: str
    path: str = ""


Layouts = dict[Wanted, StructLayout | None]
"""None: no unit of this kernel knows the struct."""


def parse_wanted(text: str) -> Wanted:
    """`NAME` or `FILE:NAME`."""
    path, _, name = text.rpartition(":")
    return Wanted(name, path)


def layouts(build: Build, source: Path, wanted: Iterable[Wanted], stop: Stop, line: int = 64) -> Layouts:
    """The layout of each wanted struct. `source` is a checkout of the tree of `build`, `line` the bytes of
    a cache line of its architecture.

    Raises LayoutError where the build has lost its objects or a unit does not compile again, MachineError, Stopped.
    """
    each = sorted(set(wanted))
    known = kept_layouts(build, each)
    if known is None:
        known = _measure(build, source, each, stop, line)
        _write(_kept(build, each), known)
    return known


def kept_layouts(build: Build, wanted: Iterable[Wanted]) -> Layouts | None:
    """What `layouts` answered before; None where it was never asked."""
    return _read(_kept(build, sorted(set(wanted))))


def _kept(build: Build, wanted: Sequence[Wanted]) -> Path:
    return build.folder / f"layout-{_digest(wanted)}.json"


def _measure(build: Build, source: Path, wanted: Sequence[Wanted], stop: Stop, line: int) -> Layouts:
    objects = build.folder / "objects"
    if not objects.is_dir():
        raise LayoutError("the objects of this build are gone")
    units = Units(objects)
    by_unit: dict[Unit, list[Wanted]] = {}
    for item in sorted(wanted, key=lambda item: not item.path.endswith(".c")):
        path = item.path or _defining(item.name, units, source)
        # a unit that is compiled anyway may show a header as well, which saves a compiler and a look at all records
        at_hand = (unit for unit in by_unit if path in unit.headers)
        if unit := next(at_hand, None) or units.showing(path):
            by_unit.setdefault(unit, []).append(item)
    found: Layouts = dict.fromkeys(wanted)
    for unit, items in by_unit.items():
        names = {item.name for item in items}
        with debug_object(unit, names, objects, source, stop) as made:
            structs = _read_object(made, names, line)
        found |= {item: structs.get(item.name) for item in items}
    return found


def _read_object(made: Path, names: set[str], line: int) -> dict[str, StructLayout]:
    try:
        return read_structs(made, names, line)
    except ValueError as error:
        raise LayoutError(str(error)) from None


def _defining(name: str, units: Units, source: Path) -> str:
    """The file that defines a struct, among those that were compiled. Raises LayoutError where several do."""
    likely = re.compile(rf"\bstruct\b[^;{{}}]*\b{re.escape(name)}\s*\{{")
    found = []
    for path in units.paths():
        file = source / path
        if file.is_file() and likely.search(text := file.read_text(encoding="utf-8", errors="replace")):
            found += [path] if name in struct_definitions(text) else []
    if len(found) > 1:
        raise LayoutError(f"struct {name} is defined in {' and in '.join(found)}; write FILE:{name}")
    return found[0] if found else ""


def _digest(wanted: Sequence[Wanted]) -> str:
    return hashlib.sha256(repr((FORMAT, [(item.name, item.path) for item in wanted])).encode()).hexdigest()[:20]


def _write(path: Path, found: Layouts) -> None:
    rows = [[item.name, item.path, asdict(layout) if layout else None] for item, layout in found.items()]
    temporary = path.with_suffix(".new")
    temporary.write_text(sealed_json({"rows": rows}), encoding="utf-8")
    temporary.replace(path)


def _read(path: Path) -> Layouts | None:
    try:
        rows = unsealed_json(path.read_text(encoding="utf-8"))["rows"]
        return {Wanted(name, file): _layout(data) if data else None for name, file, data in rows}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _layout(data: dict[str, object]) -> StructLayout:
    members = data.pop("members")
    assert isinstance(members, list)
    return StructLayout(**data, members=tuple(Member(**member) for member in members))  # type: ignore[arg-type]
