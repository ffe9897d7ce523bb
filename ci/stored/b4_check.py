# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py b4-check`: one stored run of a series answers b4's calls, one for each patch, by `git patch-id`.

    <state>/b4/<options>/<patch id>   a line with the name of the run in which this patch is
    <state>/b4/<options>/run-<key>/   its reports as `check` leaves them, `log`, and `alive`, on which its process holds
                                      a lock

The first call starts `rig.py check --each` as a process of its own, which outlives the call.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ci.model.results import Run
from ci.report.formats import json_report
from ci.report.output import RESULTS
from kernels.patches.kinds.b4 import under_review
from kernels.patches.patch import Series
from kernels.patches.series import read_series
from kernels.source.git import own_environment
from kernels.source.store import Store
from kernels.source.user_repo import find_repo
from util.children.program import run
from util.errors import UserError
from util.files.atomic import write_atomic
from util.files.lock import Lock, locked
from util.paths import APP, ROOT
from util.stop import Stop

MAX_MAIL = 64 << 20
_LOG_LINES = 3
_OURS = "rig.py: "
"""How the line begins in which the rig says why it ended."""


@dataclass(frozen=True, slots=True)
class B4Call:
    """One call of b4: the mail on standard input, and the options that say what a run does. `series` is empty for the
    branch that is checked out; `options` are those of `check` beside source and series."""

    mail: bytes
    profile: str
    source: str
    series: str
    options: tuple[str, ...]
    wait: bool


@dataclass(frozen=True, slots=True)
class B4Answer:
    """The answer of the stored run. `number` is the patch that was asked for, 0 for the series as a whole; `run` is
    None as long as it is under way, then `progress` says where it is."""

    number: int
    run: Run | None
    folder: Path
    progress: str = ""


def ask(asked: B4Call, stop: Stop) -> B4Answer:
    """Finds the run that the mail's patch belongs to, or starts one. Raises UserError where no series is known, and
    where the run ended without a result."""
    store = Store()
    patch = patch_id(asked.mail, stop)
    home = _home(asked)
    folder = _known(home, patch) if patch else None
    if folder is None or not _answers(folder):
        folder = _started(asked, store, home, patch, stop)
    return _answer(asked, folder, patch, stop)


def patch_id(mail: bytes, stop: Stop) -> str:
    """git's stable id of the diff in a mail; empty where it holds none."""
    if len(mail) > MAX_MAIL:
        raise UserError(f"the mail on standard input is larger than {MAX_MAIL >> 20} MiB")
    words = run(["git", "patch-id", "--stable"], data=mail, env=own_environment(), stop=stop).stdout.split()
    return words[0].decode() if words else ""


def _home(asked: B4Call) -> Path:
    """The folder of all runs with the same options, outside of every tree."""
    key = hashlib.sha256("\0".join((asked.profile, asked.source, *asked.options)).encode()).hexdigest()[:16]
    return platformdirs.user_state_path(APP) / "b4" / key


def _known(home: Path, patch: str) -> Path | None:
    try:
        return home / (home / patch).read_text(encoding="ascii").strip()
    except OSError:
        return None


def _answers(folder: Path) -> bool:
    """Whether the run has ended well, or is still under way."""
    return _is_alive(folder) or ((folder / RESULTS).is_file() and not _gave_up(folder))


def _gave_up(folder: Path) -> str:
    """Why the run ended early, in the rig's own words; nothing where it came to its end. What it had found by then is
    in its results and no answer about the series."""
    last = _log(folder)[-1:]
    return last[0].removeprefix(_OURS) if last and last[0].startswith(_OURS) else ""


def _is_alive(folder: Path) -> bool:
    if not (folder / "alive").exists():
        return False
    lock = Lock(folder / "alive")
    try:
        return not lock.attempt()
    finally:
        lock.close()


def _started(asked: B4Call, store: Store, home: Path, patch: str, stop: Stop) -> Path:
    """The folder of a run of the whole series, which this call starts unless another one has."""
    spec = asked.series or _branch()
    series = read_series(spec, store, asked.source or None, stop)
    ids = [item.patch_id for item in series.patches]
    if patch and patch not in ids:
        raise UserError(f"{spec}: holds no patch like the one on standard input (git patch-id {patch[:12]})")
    folder = home / f"run-{hashlib.sha256(' '.join(ids).encode()).hexdigest()[:16]}"
    with locked(home / "lock", stop):
        for name in ids:
            write_atomic(home / name, f"{folder.name}\n")
        if not _answers(folder):
            _start(asked, spec, series, folder)
    return folder


def _branch() -> str:
    """That of the series under review, of which `b4 review` tells its checks; else the one that is checked out."""
    repo = find_repo(Path())
    if repo and (tracking := os.environ.get("B4_TRACKING_FILE")):
        return f"{repo.top}:{under_review(Path(tracking))}"
    name = repo.git("symbolic-ref", "--short", "--quiet", "HEAD").stdout.decode().strip() if repo else ""
    if not repo or not name:
        raise UserError("no branch is checked out here: name the series by --series")
    return f"{repo.top}:{name}"


def _start(asked: B4Call, spec: str, series: Series, folder: Path) -> None:
    """A `check` in a session of its own: b4 may end the call, and the run goes on for the next one."""
    folder.mkdir(parents=True, exist_ok=True)
    near = f"git:{series.start.repository}@{series.start.commit}" if series.start else ""
    source = asked.source or near
    command = (
        *(sys.executable, str(ROOT / "rig.py"), "check", "--profile", asked.profile, "--series", spec),
        *(("--source", source) if source else ()),
        *("--each", *asked.options, "--out", str(folder)),
    )
    lock = Lock(folder / "alive")
    try:
        lock.attempt()
        with (folder / "log").open("wb") as log:
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=(lock.fd,),
                env=os.environ,
            )  # fmt: skip
    finally:
        lock.close()


def _answer(asked: B4Call, folder: Path, patch: str, stop: Stop) -> B4Answer:
    results = folder / RESULTS
    while asked.wait and _is_alive(folder):
        stop.check()
        stop.wait(0.5)
    if _is_alive(folder):
        return B4Answer(0, None, folder, (_log(folder) or ("it has just begun",))[-1])
    why = _gave_up(folder)
    if results.is_file() and not why:
        found = json_report.parse(results.read_bytes())
        return B4Answer(_number(found, patch), found, folder)
    why = why or "; ".join(_log(folder)) or "it said nothing"
    raise UserError(f"the run ended without a result: {why} (see {folder}/log)")


def _log(folder: Path) -> Sequence[str]:
    try:
        lines = (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(line.strip() for line in lines if line.strip())[-_LOG_LINES:]


def _number(found: Run, patch: str) -> int:
    patches = found.series.patches if found.series else ()
    return next((item.number for item in patches if patch and item.patch_id == patch), 0)
