# SPDX-License-Identifier: GPL-2.0-or-later
"""A cell whose programs are shared out over several guests: what each guest gets, and what they come to together."""

from collections.abc import Sequence

from ci.model.stages import END, FAULT, LOG, CellResult
from ci.verdict.guest_tests import guest_tests
from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import End
from testcases.parts import only, program_of, programs_of
from testcases.suite import Payload


def wanted_guests(choice: SuiteChoice, payload: Payload) -> int:
    """How many guests the programs of a suite are shared out over: one for each where the profile says `isolated`."""
    return len(payload.steps) if choice.isolated else payload.guests


def shares(payload: Payload, guests: int) -> tuple[Payload, ...]:
    """What each of so many guests gets, fewer where there are fewer programs: every file, the steps that prepare a
    guest, and of the programs each guest the next in turn, for neighbours in a list are often alike in length. The
    first has what is settled."""
    programs = programs_of(payload)
    count = min(guests, len(programs))
    if count < 2:
        return (payload,)
    turns = [frozenset(programs[first::count]) for first in range(count)]
    return (only(payload, turns[0], payload.settled), *(only(payload, turn) for turn in turns[1:]))


def untried(payload: Payload, blank: CellResult, why: str) -> CellResult:
    """The result of a share that no guest was started for."""
    files = dict(payload.origins)
    tests = (TestResult(name, Status.MISS, message=why, file=files.get(name, "")) for name in programs_of(payload))
    return blank.model_copy(update={"tests": (*payload.settled, *tests)})


def together(payload: Payload, blank: CellResult, results: Sequence[CellResult]) -> CellResult:
    """One result of all shares, their tests in the order of the payload. The end is that of the first guest that did
    not finish, with its console's last lines and its state."""
    ran = [result for result in results if result.end]
    worst = next((result for result in ran if result.end != End.FINISHED), ran[-1])
    faults = tuple(fault for result in ran for fault in result.faults)
    seconds = sum(result.seconds for result in ran)
    found = {test.name: test for result in results for test in result.tests if not _of_guest(test.name)}
    place = {step.name: number for number, step in enumerate(payload.steps, 1)}
    tests = sorted(found.values(), key=lambda test: place.get(program_of(test.name, place), 0))
    return blank.model_copy(
        update={
            "tests": (*guest_tests(End(worst.end), worst.message, faults, seconds), *tests),
            "faults": faults,
            "seconds": round(seconds, 2),
            "fair_seconds": round(sum(result.fair_seconds for result in ran), 2),
            "took": {name: took for result in ran for name, took in result.took.items()},
            "booted": any(result.booted for result in ran),
            "restored": all(result.restored for result in ran),
            "notes": tuple(dict.fromkeys(note for result in ran for note in result.notes)),
            **{name: getattr(worst, name) for name in ("end", "message", "accel", "qemu_version")},
            **{name: getattr(worst, name) for name in ("console_tail", "state")},
        }
    )


def _of_guest(test: str) -> bool:
    return test in (END, LOG) or test.startswith(FAULT)
