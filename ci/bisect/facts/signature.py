# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bisection looks for, how it looked at the bad end, and whether another failure is the same.

A guest's results are reduced to a `Boot`: which of the tests in question failed and how, and which passed. The boots of
the bad end make the `Signature`. A later boot shows the fault only if one of the signature's tests fails in the same
way; one that fails otherwise says nothing about the fault, neither good nor bad.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from ci.model.stages import END, FAULT, CellResult
from ci.verdict.figures.budget import cell_figures
from configs.model import Strict
from configs.result import Status, TestResult

BUILD = "build/kernel"
"""The name under which a kernel that does not build is looked for."""
_PLACE = re.compile(r"(?<![\w.+/-])(/*+)(?:[\w.+-]++/++)*+([\w.+-]+\.[chS]):\d+:?")
_ADDRESS = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{12,16}\b")
_TIMED = re.compile(r"\b\d+\.\d+ ?s\b|\bpid \d+\b|\[ *\d+\.\d+\]")
_NUMBER = re.compile(r"\d+")


class SoughtKind(StrEnum):
    TEST = "test"
    SPLAT = "splat"
    BUDGET = "budget"
    VERDICT = "verdict"


class Sought(Strict):
    """What the user asked for. `pattern` is a glob over tests (`TEST` or `SUITE/TEST`), titles of reports in the
    kernel's log, or figures (`<test>/<figure>`); empty for a verdict: whatever fails at the bad end only."""

    kind: SoughtKind
    pattern: str = ""

    @property
    def builds(self) -> bool:
        """True where the question is whether the kernel builds, and no guest is needed."""
        return self.kind is SoughtKind.TEST and fnmatchcase(BUILD, self.pattern) and not self.pattern.startswith("*")

    def names(self, test: str, suite: str) -> bool:
        """Whether a test of this name is in question."""
        if self.kind is SoughtKind.VERDICT:
            return True
        if self.kind is SoughtKind.SPLAT:
            title = test.removeprefix(FAULT)
            return test.startswith(FAULT) and (fnmatchcase(title, self.pattern) or self.pattern in title)
        if self.kind is SoughtKind.BUDGET:
            return False
        return fnmatchcase(test, self.pattern) or fnmatchcase(f"{suite}/{test}", self.pattern)

    @property
    def words(self) -> str:
        """`the test GLOB`, for a sentence."""
        return "a verdict that fails" if self.kind is SoughtKind.VERDICT else f"the {self.kind} `{self.pattern}`"

    @property
    def options(self) -> tuple[str, ...]:
        """The same as options of the command line."""
        return ("--verdict",) if self.kind is SoughtKind.VERDICT else (f"--{self.kind}", self.pattern)


class FailedTest(Strict):
    """One failed test in question. `mark` is what has to be equal in another boot for it to be the same fault, `frames`
    the innermost functions of a decoded trace, `text` what the test or the kernel printed."""

    name: str
    mark: str
    message: str = ""
    frames: tuple[str, ...] = ()
    text: str = ""
    spot: tuple[str, str, str, str] = ("", "", "", "")
    """arch, ABI, flavour, suite."""


class Boot(Strict):
    """One guest, or one round of guests where several cells are in question. `other` says what else went wrong, one
    line each; `finished` that every guest came to its end; `near` are other test names, where none was in question."""

    failures: tuple[FailedTest, ...] = ()
    passed: tuple[str, ...] = ()
    figures: dict[str, int] = Field(default_factory=dict)
    """By `ARCH ABI FLAVOUR SUITE FIGURE`."""
    other: tuple[str, ...] = ()
    finished: bool = False
    booted: bool = False
    near: tuple[str, ...] = ()
    console: str = ""
    command: tuple[str, ...] = ()
    reproduce: tuple[str, ...] = ()
    seconds: float = 0.0


class BootAnswer(StrEnum):
    """What one boot says about the fault that is looked for."""

    SHOWS = "shows"
    ABSENT = "absent"
    OTHER = "other"
    """The guest answered, and something else was wrong."""
    NONE = "none"
    """The machine could not say, or the test was skipped."""


def read_boot(sought: Sought, cells: Sequence[CellResult]) -> Boot:
    """What the cells of one round say about the tests in question."""
    failures: list[FailedTest] = []
    passed: list[str] = []
    other: list[str] = []
    near: list[str] = []
    figures: dict[str, int] = {}
    for cell in cells:
        for test in cell.tests:
            named = sought.names(test.name, cell.cell.suite)
            if not named:
                near.append(test.name)
            if named and test.status is Status.FAIL:
                failures.append(_failure(cell, test))
            elif named and test.status is Status.PASS:
                passed.append(test.name)
            elif test.status is Status.FAIL and (test.name == END or test.name.startswith(FAULT)):
                other.append(f"{test.name.removeprefix(FAULT)}: {test.message}")
            elif named and test.message:
                other.append(f"{test.name}: {test.status}: {test.message}")
        if cell.not_run:
            other.append(cell.not_run)
        if sought.kind is SoughtKind.BUDGET:
            found = {name: figure.value for name, figure in cell_figures(cell).items()}
            where = " ".join(_spot(cell))
            figures |= {f"{where} {name}": at for name, at in found.items() if fnmatchcase(name, sought.pattern)}
            near += [name for name in found if not fnmatchcase(name, sought.pattern)]
    blamed = next((cell for cell in cells if _is_bad(cell, failures)), cells[0])
    return Boot(
        failures=tuple(failures),
        passed=tuple(dict.fromkeys(passed)),
        figures=figures,
        other=tuple(sorted(dict.fromkeys(other), key=lambda line: line.startswith(END))),  # what it died of says more
        finished=all(cell.end == "finished" for cell in cells),
        booted=any(cell.booted or cell.end == "finished" for cell in cells),
        near=() if failures or passed or figures else tuple(dict.fromkeys(near)),
        console=blamed.console,
        command=blamed.command,
        reproduce=blamed.reproduce,
        seconds=max((cell.seconds for cell in cells), default=0.0),
    )


def _spot(cell: CellResult) -> tuple[str, str, str, str]:
    return cell.cell.arch, cell.cell.abi, cell.cell.flavour, cell.cell.suite


def _is_bad(cell: CellResult, failures: Sequence[FailedTest]) -> bool:
    names = {failure.name for failure in failures}
    return any(test.name in names and test.status is Status.FAIL for test in cell.tests)


def _failure(cell: CellResult, test: TestResult) -> FailedTest:
    fault = next((item for item in cell.faults if test.name == FAULT + item.title), None)
    if fault:
        return FailedTest(
            name=test.name,
            mark=fault.kind,
            message=test.message,
            frames=tuple(place.partition(" at ")[0] for place in fault.trace[:3]),
            text=test.output[:8000],
            spot=_spot(cell),
        )
    mark = normalised(test.message)
    if test.name == END:
        fatal = [item.title for item in cell.faults if item.fatal]
        mark = f"{cell.end}: {'; '.join(fatal) or mark}"
    return FailedTest(name=test.name, mark=mark, message=test.message, text=test.output[:4000], spot=_spot(cell))


def normalised(text: str) -> str:
    """A message without what moves from build to build and from run to run: lines of source files, addresses, times."""
    text = _PLACE.sub(r"\1\2:", text.strip())
    return " ".join(_TIMED.sub("T", _ADDRESS.sub("0x", text)).split())


class Signature(Strict):
    """How the fault looks. `marks` by test; `loose` are tests whose numbers differed between two boots of the bad end
    itself and so do not count. For budgets `limits` by figure: above is bad (`up`) or below."""

    kind: SoughtKind
    names: tuple[str, ...] = ()
    marks: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    frames: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    loose: tuple[str, ...] = ()
    limits: dict[str, tuple[float, Literal["above", "below"]]] = Field(default_factory=dict)

    def answer(self, boot: Boot) -> BootAnswer:
        """What `boot` says about this fault."""
        if self.kind is SoughtKind.BUDGET:
            return self._measured(boot)
        mine = [failure for failure in boot.failures if failure.name in self.names]
        if any(self.same(failure) for failure in mine):
            return BootAnswer.SHOWS
        if mine:
            return BootAnswer.OTHER
        if boot.finished and all(name.startswith(FAULT) or name == END for name in self.names):
            return BootAnswer.ABSENT
        answered = [name for name in self.names if name in boot.passed or (name.startswith(FAULT) and boot.finished)]
        if answered and (boot.finished or len(answered) == len(self.names)):
            return BootAnswer.ABSENT
        return BootAnswer.OTHER if boot.other or boot.failures else BootAnswer.NONE

    def same(self, failure: FailedTest) -> bool:
        """Whether a failure of one of the signature's tests is the fault that is looked for."""
        known = self.marks.get(failure.name, ())
        mark = failure.mark
        if failure.name in self.loose:
            known, mark = tuple(_NUMBER.sub("N", text) for text in known), _NUMBER.sub("N", mark)
        frames = self.frames.get(failure.name, ())
        apart = bool(frames) and bool(failure.frames) and not set(frames) & set(failure.frames)
        return mark in known and not apart

    def _measured(self, boot: Boot) -> BootAnswer:
        judged = {
            name: _beyond(boot.figures[name], *limit) for name, limit in self.limits.items() if name in boot.figures
        }
        if any(judged.values()):
            return BootAnswer.SHOWS
        return BootAnswer.ABSENT if judged else BootAnswer.OTHER if boot.other else BootAnswer.NONE


def _beyond(value: int, limit: float, side: str) -> bool:
    return value > limit if side == "above" else value < limit


def signature_of(sought: Sought, bad: Sequence[Boot], good: Sequence[Boot] = ()) -> Signature:
    """From the boots of the bad end, without what the good end shows as well (for a verdict)."""
    if sought.kind is SoughtKind.BUDGET:
        return Signature(kind=sought.kind, limits=_limits(bad, good))
    alike = (
        {(item.name, item.mark) for boot in good for item in boot.failures}
        if sought.kind is SoughtKind.VERDICT
        else set()
    )
    found = [item for boot in bad for item in boot.failures if (item.name, item.mark) not in alike]
    marks: dict[str, dict[str, None]] = {}
    frames: dict[str, dict[str, None]] = {}
    for item in found:
        marks.setdefault(item.name, {})[item.mark] = None
        frames.setdefault(item.name, {}).update(dict.fromkeys(item.frames))
    return Signature(
        kind=sought.kind,
        names=tuple(marks),
        marks={name: tuple(texts) for name, texts in marks.items()},
        frames={name: tuple(functions) for name, functions in frames.items() if functions},
        loose=tuple(name for name, texts in marks.items() if _numbers_vary(texts)),
    )


def _numbers_vary(texts: Iterable[str]) -> bool:
    texts = list(texts)
    return len({_NUMBER.sub("N", text) for text in texts}) < len(texts)


def _limits(bad: Sequence[Boot], good: Sequence[Boot]) -> dict[str, tuple[float, Literal["above", "below"]]]:
    """Half-way between the ends, for each figure that every boot of an end agrees is on its side."""
    limits: dict[str, tuple[float, Literal["above", "below"]]] = {}
    names = {name for boot in bad for name in boot.figures} & {name for boot in good for name in boot.figures}
    for name in sorted(names):
        high = [boot.figures[name] for boot in bad if name in boot.figures]
        low = [boot.figures[name] for boot in good if name in boot.figures]
        if min(high) > max(low):
            limits[name] = ((min(high) + max(low)) / 2, "above")
        elif max(high) < min(low):
            limits[name] = ((max(high) + min(low)) / 2, "below")
    return limits
