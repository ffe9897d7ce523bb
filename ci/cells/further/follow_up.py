# SPDX-License-Identifier: GPL-2.0-or-later
"""Follow-up of confirmed failures: the suite runs further guests of the same kernel and adds what it learns to its
results."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ci.cells.guest.guest_cell import GuestCell, request_of
from ci.model.stages import CellResult
from ci.model.verdicts import Comparison, Effect
from ci.plan.build_tasks import RunContext
from ci.verdict.compare.builds import BUILD, SERIES
from configs.names import STATIC
from configs.result import Cell, Status
from guests.run.run import Outcome, run_guest
from testcases.registry import find_suite
from testcases.suite import FollowingSuite, Payload, RepeatedFailure
from util.errors import MachineError
from util.events import Event, Phase, silent

MOST = 3
"""How many cells of one run are followed up: one fault fails many cells, and one small example is enough."""


def failures_that_hold(comparisons: Iterable[Comparison]) -> dict[Cell, tuple[str, ...]]:
    """The tests that speak against the judged variant and failed in every run of theirs, by cell, of suites that can
    say more about them."""
    found: dict[Cell, tuple[str, ...]] = {}
    for item in comparisons:
        if item.effect is Effect.FAIL and set(item.patched) == {Status.FAIL} and _follows(item.cell.suite):
            found[item.cell] = (*found.get(item.cell, ()), item.test)
    return found


def _follows(suite: str) -> bool:
    return suite not in STATIC and suite not in (BUILD, SERIES) and isinstance(find_suite(suite)[0], FollowingSuite)


def first_few(found: Mapping[Cell, tuple[str, ...]]) -> dict[Cell, tuple[str, ...]]:
    """At most MOST of the cells, one of each architecture before a second one of any."""
    turn: dict[Cell, int] = {}
    for cell in found:
        turn[cell] = sum(cell.arch == other.arch for other in turn)
    return {cell: found[cell] for cell in sorted(found, key=lambda cell: turn[cell])[:MOST]}


def follow_up(guest: GuestCell, result: CellResult, names: Collection[str], context: RunContext) -> CellResult:
    """`result` with what the suite found out about its failed tests of these names, in as many fresh guests as it asked
    for. Raises Stopped; a machine that cannot do it is reported as an event, and the result stays as it is."""
    suite = find_suite(guest.blank.cell.suite)[0]
    assert isinstance(suite, FollowingSuite)
    failed = tuple(test for test in result.tests if test.name in names)
    folder = request_of(guest).folder
    search = suite.follow_up(RepeatedFailure(guest.payload, failed, folder, guest.label, context.emit))
    try:
        asked = next(search)
        while True:
            asked = search.send(_guest(guest, asked, context))
    except StopIteration as end:
        told = {test.name: test for test in end.value}
    except MachineError as error:
        context.emit(Event(f"test {guest.label}", Phase.NOTE, f"could not be looked into: {error}"))
        return result
    finally:
        search.close()
    tests = (
        replace(test, message=told[test.name].message, output=told[test.name].output) if test.name in told else test
        for test in result.tests
    )
    return result.model_copy(update={"tests": tuple(tests)})


def _guest(guest: GuestCell, asked: Payload, context: RunContext) -> Outcome:
    """One of many guests that each take seconds: their own events would hide all others."""
    request = request_of(replace(guest, payload=asked))
    request = replace(request, folder=request.folder / "follow-up", label=f"{guest.label} follow-up")
    with context.jobserver.token(context.stop):
        return run_guest(request, silent, context.stop)
