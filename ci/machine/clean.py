# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py clean`: what the cache holds, by age and size, and how it is made smaller."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from ci.cells.cell_store import CellStore
from kernels.build.build import BuildStore
from kernels.source import housekeeping
from kernels.source.store import Store
from util.events import Listener, silent
from util.files.disk import disk_use, present
from util.files.lock import Lock
from util.paths import cache_root
from util.stop import Stop

DAY = 86400.0
Row = tuple[str, int, float]
"""Name, bytes on disk, time of last use in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Area:
    """One part of the cache. `remove` takes an age in seconds and returns the bytes freed; it spares what is locked:
    what another rig is making, and the worktrees and builds that it uses."""

    name: str
    rows: Callable[[], Sequence[Row]]
    remove: Callable[[float], int]


def areas(emit: Listener, stop: Stop) -> list[Area]:
    """All parts, the largest kinds first."""
    store, builds, cells = Store(), BuildStore(), CellStore()
    return [
        Area(
            "sources",
            lambda: housekeeping.usage(store),
            lambda seconds: housekeeping.remove_older(store, seconds, emit, stop),
        ),
        Area("kernel builds", builds.usage, builds.remove_older),
        *(_files(name) for name in ("testcases", "initramfs", "saved", "accel", "bisect", "checks", "modules", "npm")),
        Area(
            "results of cells",
            lambda: [("results", cells.usage().size, time.time() - cells.usage().oldest)],
            cells.remove_older,
        ),
    ]


def lines(now: float | None = None, verbose: bool = True) -> Iterator[str]:
    """A table for the terminal: each kind with its size and how many entries it has, and the sum. With `verbose` each
    entry with size and days since its last use."""
    clock = time.time() if now is None else now
    total = 0
    for area in areas(silent, Stop()):
        rows = area.rows()
        size = sum(row[1] for row in rows)
        total += size
        yield f"{_megabytes(size)}  {area.name}{'' if verbose else _number(rows)}"
        for name, part, used in sorted(rows, key=lambda row: row[2]) if verbose else ():
            yield f"    {_megabytes(part)}  {max(0.0, clock - used) / DAY:5.1f} days  {name}"
    yield f"{_megabytes(total)}  in all, below {cache_root()}"


def _number(rows: Sequence[Row]) -> str:
    return f", {len(rows)} entr{'y' if len(rows) == 1 else 'ies'}"


def remove(days: float, emit: Listener, stop: Stop) -> str:
    """Removes what was not used for `days`, and says what that freed. Raises Stopped."""
    freed = sum(area.remove(days * DAY) for area in areas(emit, stop))
    return f"freed {freed / 1e6:.0f} MB"


def _files(name: str) -> Area:
    """A folder of content-addressed entries that are made again at need."""
    root = cache_root() / name

    def rows() -> list[Row]:
        found = present(_entries(root))
        return [(str(path.relative_to(root)), disk_use(path), info.st_mtime) for path, info in found]

    def remove_older(seconds: float) -> int:
        limit = time.time() - seconds
        return sum(_remove(path) for path, info in present(_entries(root)) if info.st_mtime <= limit)

    return Area(name, rows, remove_older)


def _entries(root: Path) -> list[Path]:
    """What lies in the folders of `root`, and the files beside them. A folder of this level is one kind of entries, or
    a guest that is being booted to prove an accelerator."""
    kinds = [path for path in root.glob("*") if path.is_dir() and not path.name.startswith("probe-")]
    files = [path for path in root.glob("*") if path.is_file()]
    inside = [path for kind in kinds for path in kind.iterdir()]
    return sorted(path for path in (*files, *inside) if path.suffix != ".lock")


def _remove(path: Path) -> int:
    """Removes an entry unless a rig holds its lock; the bytes freed. What has no lock of its own, such as a download,
    is spared while any lock of its folder is held."""
    own = path.with_suffix(".lock")
    with ExitStack() as stack:
        for lock in map(Lock, [own] if own.exists() else path.parent.glob("*.lock")):
            stack.callback(lock.close)
            if not lock.attempt():
                return 0
        size = disk_use(path)
        with suppress(FileNotFoundError):  # another run cleans as well
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return size


def _megabytes(size: int) -> str:
    return f"{size / 1e6:8.0f} MB"
