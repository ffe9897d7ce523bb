# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder in which one build goes on: started clean or from other objects, and taken up again after an interruption.

    out/         the output folder
    view/        copies of changed source files, `0`, `1`, ...
    log          all output so far
    told.json    the warnings that the objects printed when they were made, by target
    state.json   written once `out` and `view` are ready; without it the folder is thrown away whole

A build that is killed leaves at most the files that were being written then. When it is taken up again, everything
that was written in its last minute is made again, but for `include/config`: a file there is empty and says by its time
when an option changed, or is renamed to its place when it is whole (scripts/kconfig/confdata.c). Without them every
object would be made again. A folder from before a reboot is thrown away, since files of which the disk never saw the
content may look whole.
"""

import fcntl
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from kernels.build.diagnostics import BuildWarning
from kernels.build.reuse import StartingPoint, begin, inside
from kernels.build.store.build_store import BuildStore
from kernels.build.store.manifest import read_told
from util.errors import MachineError
from util.files.atomic import remove_tree
from util.stop import Stop

TOLD = "told.json"
_SUSPECT = 60_000_000_000  # ns; no tool of a build leaves an unfinished output alone for longer
_OPTIONS = "include/config"
_DYING = 30.0  # seconds; how long the killed processes of an earlier rig may take to go


@dataclass(frozen=True, slots=True)
class WorkState:
    """What is needed to resume an interrupted build. `moment` is the time in ns that all objects it started
    from carry, 0 for a clean start; `view` the paths that stand in `view/`."""

    boot: str
    moment: int
    started_from: str
    view: tuple[str, ...]
    risky: bool
    resumed: bool = False


class WorkFolder:
    """One unfinished build. Use as a context manager: the lock on its processes is held inside."""

    def __init__(self, builds: BuildStore, key: str) -> None:
        self.folder = builds.work(key)
        self.out = self.folder / "out"
        self.view = self.folder / "view"
        self.log = self.folder / "log"
        self._alive_file = builds.alive_file(key)
        self._builds = builds
        self.alive_fd = -1

    def hold(self, stop: Stop) -> None:
        """Takes the lock that all processes of this build inherit. Waits for those of a killed rig to go."""
        fd = os.open(self._alive_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + _DYING
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(fd)
                    raise MachineError(f"processes of an interrupted build still run in {self.folder}") from None
                stop.wait(0.05)
                stop.check()
                continue
            self.alive_fd = fd
            return

    def release(self) -> None:
        os.close(self.alive_fd)

    def resume(self) -> WorkState | None:
        """The state of an interrupted build that can go on, its doubtful files deleted; None where there is none."""
        try:
            state = WorkState(**json.loads((self.folder / "state.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None
        if state.boot != _boot_id():
            return None
        _drop_recent(self.out, state.moment)
        return WorkState(state.boot, state.moment, state.started_from, tuple(state.view), state.risky, resumed=True)

    def start(self, source: Path, start: StartingPoint | None) -> WorkState:
        """Begins anew: from the objects of `start` where that is possible, otherwise clean."""
        self.discard()
        self.folder.mkdir()
        moment = time.time_ns()
        view = begin(start, self._builds, source, self.out, self.view, moment) if start else None
        if start is None or view is None:
            shutil.rmtree(self.out, ignore_errors=True)
            self.out.mkdir()
            state = WorkState(_boot_id(), 0, "", (), False)
        else:
            state = WorkState(_boot_id(), moment, start.manifest.key, tuple(view), start.risky)
            told = {target: list(map(asdict, items)) for target, items in start.manifest.told.items()}
            (self.folder / TOLD).write_text(json.dumps(told))
        temporary = self.folder / "state.new"
        temporary.write_text(json.dumps(asdict(state)))
        temporary.rename(self.folder / "state.json")
        return state

    def kept_warnings(self, state: WorkState) -> dict[str, tuple[BuildWarning, ...]]:
        """The warnings of the targets that were not made again, by target: they come with the objects."""
        try:
            told = read_told(json.loads((self.folder / TOLD).read_text()))
        except (OSError, ValueError, TypeError):
            return {}
        return {target: items for target, items in told.items() if _untouched(self.out, target, state.moment)}

    def untouched(self, name: str, state: WorkState) -> bool:
        """Whether a file of the output folder is still the one of the objects that the build started from."""
        return bool(state.started_from) and _untouched(self.out, name, state.moment)

    def mounts(self, state: WorkState) -> tuple[tuple[Path, str], ...]:
        return tuple((self.view / str(index), path) for index, path in enumerate(state.view))

    def discard(self) -> None:
        if self.folder.exists():
            (self.folder / "state.json").unlink(missing_ok=True)
            remove_tree(self.folder)


def _untouched(out: Path, target: str, moment: int) -> bool:
    path = inside(out, target) if target else None
    try:
        return path is not None and path.lstat().st_mtime_ns == moment
    except OSError:
        return False


def _drop_recent(out: Path, moment: int) -> None:
    written = []
    for root, _dirs, files in os.walk(out):
        steady = Path(root).is_relative_to(out / _OPTIONS)
        for name in files:
            path = Path(root) / name
            if steady and path.suffix != ".cmd":  # make's own rules, which old kernels write in place
                continue
            written.append((path.lstat().st_mtime_ns, path))
    limit = max((time_ns for time_ns, _ in written), default=0) - _SUSPECT
    for time_ns, path in written:
        if time_ns > moment and time_ns >= limit:
            path.unlink()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
