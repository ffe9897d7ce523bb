# SPDX-License-Identifier: GPL-2.0-or-later
"""From a guest to the tests of its cell, and from the runs of a cell to the statuses that are compared."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ci.model.stages import END, FAULT, LOG, CellResult, runs_of
from configs.result import Status, TestResult
from guests.crash.outcome import KERNEL_ENDS, UNREAD, End, Fault

Death = tuple[str, str, str]
"""How a guest ended, the title of the first fault in its log, and the place in the source."""

FURTHER = 15.0
"""Half of the time that the kernel's harness gives a test: what hangs is given twice the usual."""


def guest_tests(end: End, message: str, faults: Iterable[Fault], seconds: float = 0.0) -> tuple[TestResult, ...]:
    """The tests of the guest as a whole: one for how it ended, one FAIL for each different fault in its log.

    An end that is the machine's fault is a MISS. A fault that is absent passed, see `statuses`.
    """
    status = Status.PASS if end is End.FINISHED else Status.FAIL if end in KERNEL_ENDS else Status.MISS
    tests = [TestResult(END, status, seconds, "" if status is Status.PASS else message or end.value)]
    seen = set()
    if unread := next((fault for fault in faults if fault.kind in UNREAD), None):
        tests.append(TestResult(LOG, Status.MISS, 0.0, unread.title, "\n".join(unread.lines)))
    for fault in faults:
        if fault.kind not in UNREAD and fault.title not in seen:
            seen.add(fault.title)
            text = "\n".join((*fault.lines, *(("decoded trace:", *fault.trace) if fault.trace else ())))
            where = f" (during {fault.step})" if fault.step else ""
            tests.append(TestResult(FAULT + fault.title, Status.FAIL, 0.0, f"{fault.kind}{where}", text))
    return tuple(tests)


def statuses(runs: Sequence[CellResult], names: Iterable[str] = ()) -> list[dict[str, Status]]:
    """The runs of one cell, test -> status; tests that a run should have reported and did not are filled in.

    `names` are tests that the other variant reports. A test that a dead guest did not reach is a MISS, a fault that a
    complete log does not hold is a PASS, and a MISS where the log has gaps.
    """
    known = dict.fromkeys((*(test.name for run in runs for test in run.tests), *names))
    return [_complete(run, known) for run in runs]


def by_test(runs: Sequence[CellResult], names: Iterable[str] = ()) -> dict[str, tuple[Status | None, ...]]:
    """Test -> its statuses in all runs of one cell that count for it, in order of first appearance; None: such a run
    does not report it. `names` are tests that the other variant reports."""
    names = tuple(names)
    found = dict(zip(map(id, runs), statuses(runs, names), strict=True))
    order = dict.fromkeys((*(name for run in found.values() for name in run), *names))
    return {name: tuple(found[id(run)].get(name) for run in runs_of(runs, name)) for name in order}


def _complete(run: CellResult, names: Iterable[str]) -> dict[str, Status]:
    found = {test.name: test.status for test in run.tests}
    end = found.get(END)
    whole = end is not None and LOG not in found
    for name in names:
        if name in found:
            continue
        if run.not_run or (end is not None and end is not Status.PASS):
            found[name] = Status.MISS
        elif name == LOG or name.startswith(FAULT):
            found[name] = Status.PASS if whole else Status.MISS
        elif name == END:
            found[name] = Status.MISS
    return found


def died(run: CellResult) -> bool:
    """True where the kernel's own fault ended the guest before the end marker."""
    return any(test.name == END and test.status is Status.FAIL for test in run.tests)


def death(run: CellResult) -> Death | None:
    """How its kernel ended the guest; None where it did not."""
    if run.end not in {str(end) for end in KERNEL_ENDS}:
        return None
    fault = next((fault for fault in run.faults if fault.fatal), next(iter(run.faults), None))
    return run.end, fault.title if fault else "", fault.trace[0] if fault and fault.trace else ""


def usual_seconds(run: CellResult, program: str) -> float | None:
    """How long a program that came to its end here usually takes, in seconds of the fair clock, by which guests are
    ended: the guest's own clock runs on while other work has the host's processors, and would allow a hang that much.
    A test that failed or skipped may have ended early: each may take FURTHER elsewhere. None where the program itself
    did not pass: one that gave up says nothing of how long it may take."""
    own = [test for test in run.tests if test.name.startswith(f"{program}.")]
    if not any(test.name == program and test.status is Status.PASS for test in run.tests) or program not in run.took:
        return None
    return run.took[program] + FURTHER * sum(test.status is not Status.PASS for test in own)


def tail(path: Path, lines: int = 40, limit: int = 64 * 1024) -> tuple[str, ...]:
    """The last lines of a log, from its last `limit` bytes; nothing if it cannot be read."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - limit))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.replace("\r", "").splitlines()[-lines:])
