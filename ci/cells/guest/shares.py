# SPDX-License-Identifier: GPL-2.0-or-later
"""A cell whose programs are shared out over several guests: what each guest gets, and what they come to together."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from ci.model.stages import END, FAULT, LOG, CellResult
from ci.verdict.guest_tests import guest_tests
from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import End
from testcases.suite import Payload, payload_digest


def wanted_guests(choice: SuiteChoice, payload: Payload) -> int:
    """How many guests the programs of a suite are shared out over: one for each where the profile says `isolated`."""
    return len(payload.steps) if choice.isolated else payload.guests


def shares(payload: Payload, guests: int) -> tuple[Payload, ...]:
    """What each of so many guests gets, fewer where there are fewer programs: every file, the steps that prepare a
    guest, and of the programs each guest the next in turn, for neighbours in a list are often alike in length. Where
    a payload does not say which of its steps are programs, all are."""
    programs = _programs(payload)
    count = min(guests, len(programs))
    if count < 2:
        return (payload,)
    parts = (_part(payload, programs, frozenset(programs[first::count])) for first in range(count))
    return tuple(replace(part, settled=() if number else payload.settled) for number, part in enumerate(parts))


def _programs(payload: Payload) -> list[str]:
    named = {name for name, _file in payload.origins}
    return [step.name for step in payload.steps if step.name in named or not named]


def _part(payload: Payload, programs: Collection[str], wanted: Collection[str]) -> Payload:
    steps = tuple(step for step in payload.steps if step.name in wanted or step.name not in programs)
    origins = tuple(item for item in payload.origins if item[0] in wanted)
    digest = payload_digest(payload.files, steps, payload.settled, payload.own_modules)
    return replace(payload, steps=steps, origins=origins, digest=digest)


def untried(payload: Payload, blank: CellResult, why: str) -> CellResult:
    """The result of a share that no guest was started for."""
    files = dict(payload.origins)
    tests = (TestResult(name, Status.MISS, message=why, file=files.get(name, "")) for name in _programs(payload))
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
    tests = sorted(found.values(), key=lambda test: _place(test.name, place))
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


def _place(test: str, programs: dict[str, int]) -> int:
    """The place of the program whose test this is, `NAME` or `NAME.TEST`; 0 for what is no program's."""
    name = test
    while name not in programs and "." in name:
        name = name.rpartition(".")[0]
    return programs.get(name, 0)
