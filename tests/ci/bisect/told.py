# SPDX-License-Identifier: GPL-2.0-or-later
"""Histories whose commits say in a file what their kernel does, and an oracle that reads it: no build, no guest.

`Documentation/scene` holds words: `fail=TEST[:MESSAGE]`, `splat=TITLE` (with `_` for blanks), `panic`, `nobuild`,
`rate=0.3` (the failures show in that share of the boots), `value=N` (a figure), `kernel=N` (the kernel is N, whatever
the rest says).
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci.bisect.bisect import Bisection, BisectQuestion
from ci.bisect.facts.signature import Boot, Sought, SoughtKind, read_boot
from ci.bisect.facts.state import BisectKernel, State
from ci.bisect.facts.steps import BisectStep, git_history
from ci.bisect.git_driver import Terms
from ci.bisect.report.answer import BisectAnswer
from ci.model.stages import CellResult
from configs.result import Figure, Status, TestResult
from guests.crash.outcome import Fault
from tests.ci.samples import ran
from tests.faketree import commit, git
from util.events import Event
from util.stop import Stop

TESTS = ("a", "b")
SCENE = "Documentation/scene"
OF_A = Sought(kind=SoughtKind.TEST, pattern="a")


def history(folder: Path, scenes: Iterable[str]) -> list[str]:
    """A repository with one commit for each scene; their ids, oldest first."""
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    return [
        commit(folder, f"fake: commit {number}", {SCENE: scene, f"file{number % 3}.c": f"int v{number};\n"})
        for number, scene in enumerate(scenes)
    ]


@dataclass
class Told:
    """The oracle. `interrupt` is called before each build and each boot."""

    folder: Path
    sought: Sought
    seed: int = 1
    interrupt: Callable[[], None] = lambda: None
    reverted: str = ""
    builds: list[str] = field(default_factory=list)
    boots: list[str] = field(default_factory=list)
    foreseen: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def narrow(self, spots: object) -> None: ...

    def build(self, step: BisectStep) -> BisectKernel:
        self.interrupt()
        self.builds.append(step.commit)
        scene = self._scene(step)
        if "nobuild" in scene:
            return BisectKernel(failure="kernel/a.c:1:1: error: no")
        digest = hashlib.sha256(scene.encode()).hexdigest()
        kernel = next((word for word in scene.split() if word.startswith("kernel=")), digest)
        return BisectKernel(binary=digest, kernel=kernel, keys={"x86_64/plain": "none"})

    def boot(self, step: BisectStep, first: int, count: int) -> list[Boot]:  # noqa: ARG002
        self.interrupt()
        self.boots += [step.commit] * count
        return [read_boot(self.sought, [self._cell(self._scene(step))]) for _ in range(count)]

    def ahead(self, steps: Sequence[BisectStep]) -> None:
        """A told step takes no time: what would be built is only remembered."""
        self.foreseen.append([step.commit for step in steps])

    def _scene(self, step: BisectStep) -> str:
        if step.series != "none":
            return self.reverted  # the bad end without the culprit
        return git(self.folder, "show", f"{step.source.rpartition('@')[2]}:{SCENE}")

    def _cell(self, scene: str) -> CellResult:
        pairs: list[tuple[str, str]] = [word.partition("=")[::2] for word in scene.split()]
        words = dict(pairs)
        shows = self._random.random() < float(words.get("rate", "1"))
        failing = dict(value.partition(":")[::2] for key, value in pairs if key == "fail") if shows else {}
        titles = [value.replace("_", " ") for key, value in pairs if key == "splat"] if shows else []
        faults = [
            Fault(kind="warn", title=title, lines=(title,), trace=(f"{title.split()[-1]} at k.c:1",))
            for title in titles
        ]
        if "panic" in words and shows:
            faults.append(Fault(kind="panic", title="Kernel panic - not syncing: no", lines=("no",), fatal=True))
            return ran("base", {}, end="panic", faults=faults)
        cell = ran("base", {}, faults=faults)
        tests = [
            TestResult(
                name,
                Status.FAIL if name in failing else Status.PASS,
                message=failing.get(name, ""),
                figures=(Figure("insns", int(words.get("value", "100")), "insns"),),
            )
            for name in TESTS
        ]
        return cell.model_copy(update={"tests": (*tests, *cell.tests)})


@dataclass
class Ended:
    """One bisection as a test sees it."""

    answer: BisectAnswer
    oracle: Told
    events: list[Event]


def bisect(
    folder: Path, good: str, bad: str, state: Path, sought: Sought = OF_A, *, paths: tuple[str, ...] = (),
    first_parent: bool = False, fixed: bool = False, interrupt: Callable[[], None] = lambda: None, seed: int = 1,
    rate: float | None = None, reverted: str = "",
) -> Ended:  # fmt: skip
    """A bisection of the repository in `folder`, its facts in `state`."""
    oracle = Told(folder, sought, seed, interrupt, reverted)
    events: list[Event] = []
    found = git_history(folder, good, bad, paths, first_parent)
    terms = Terms("broken", "fixed") if fixed else Terms()
    question = BisectQuestion(sought, found, rate=rate, fixed=fixed, terms=terms)
    answer = Bisection(question, State(state), oracle, 2, events.append, Stop()).run()
    return Ended(answer, oracle, events)
