# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known, on the disk: for each commit what its build came to, for each binary what its guests said.

Only facts are kept, and every decision is made from them anew. A bisection that goes on after it was killed, or that
starts again on the same range, asks the same commits in the same order and finds their answers here.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from ci.bisect.facts.signature import Boot
from configs.model import Strict
from util.errors import UserError
from util.events import Listener
from util.files.atomic import write_atomic
from util.files.disk import present
from util.files.lock import locked
from util.paths import cache
from util.stop import Stop

FORMAT = 1
FILE = "state.json"
REQUEST = "request.json"
QUESTIONS = "questions"
"""The folder of the cache's `bisect` in which each question has one of its own."""


class BisectKernel(Strict):
    """One kernel. `binary` names all that its guests depend on: equal names, equal answers. `failure` is why there is
    none. `warm` says that it was there already; `keys` are its builds, by architecture and flavour."""

    binary: str = ""
    failure: str = ""
    seconds: float = 0.0
    warm: bool = False
    keys: dict[str, str] = Field(default_factory=dict)
    kernel: str = ""
    """A digest of the kernels alone, without the suite that runs on them."""
    log: str = ""
    fixed_up: bool = False


class Facts(Strict):
    """All of them. `spots` are the cells to which the question was narrowed (arch, ABI, flavour, suite)."""

    format: int = FORMAT
    made: dict[str, BisectKernel] = Field(default_factory=dict)
    boots: dict[str, tuple[Boot, ...]] = Field(default_factory=dict)
    spots: tuple[tuple[str, str, str, str], ...] = ()


class State:
    """The facts of one question about one repository, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, BisectKernel] = {}
        self._boots: dict[str, list[Boot]] = {}
        self.spots: tuple[tuple[str, str, str, str], ...] = ()
        self._read()

    def made(self, commit: str) -> BisectKernel | None:
        return self._made.get(commit)

    def boots(self, binary: str) -> tuple[Boot, ...]:
        return tuple(self._boots.get(binary, ()))

    def add_made(self, commit: str, made: BisectKernel) -> None:
        self._made[commit] = made
        self._write()

    def add_boots(self, binary: str, boots: list[Boot]) -> None:
        self._boots.setdefault(binary, []).extend(boots)
        self._write()

    def narrow(self, spots: tuple[tuple[str, str, str, str], ...]) -> None:
        """The question is asked of these cells only; what was asked of all of them is no answer any more."""
        self.spots, self._made, self._boots = spots, {}, {}
        self._write()

    def _read(self) -> None:
        try:
            facts = Facts.model_validate_json((self.folder / FILE).read_bytes())
        except (OSError, ValidationError, ValueError):
            return
        if facts.format == FORMAT:
            self._made, self.spots = dict(facts.made), facts.spots
            self._boots = {binary: list(boots) for binary, boots in facts.boots.items()}

    def _write(self) -> None:
        boots = {binary: tuple(items) for binary, items in self._boots.items()}
        facts = Facts(made=self._made, boots=boots, spots=self.spots)
        write_atomic(self.folder / FILE, facts.model_dump_json(exclude_defaults=True))


def state_folder(*parts: object) -> Path:
    """The folder for what `parts` name, made if absent."""
    name = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]
    return cache("bisect", QUESTIONS, name)


@contextmanager
def held(folder: Path, fresh: bool, emit: Listener, stop: Stop) -> Iterator[State]:
    """The state in `folder`, for one bisection at a time; with `fresh` it starts with nothing known."""
    with locked(folder.with_suffix(".lock"), stop, emit=emit, step="bisect"):
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield State(folder)


def remember(folder: Path, arguments: tuple[str, ...], cwd: str) -> None:
    """Keeps the command line, for `--resume`; `forget` when the bisection has come to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / REQUEST, json.dumps({"arguments": arguments, "cwd": cwd}))


def forget(folder: Path) -> None:
    (folder / REQUEST).unlink(missing_ok=True)


def unfinished() -> tuple[list[str], str]:
    """(arguments, folder to stand in) of the bisection that was broken off last. Raises UserError without one."""
    files = present(cache("bisect", QUESTIONS).glob(f"*/{REQUEST}"))
    for path, _ in sorted(files, key=lambda found: found[1].st_mtime, reverse=True):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return [str(word) for word in data["arguments"]], str(data["cwd"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    raise UserError("--resume: no bisection was broken off")
