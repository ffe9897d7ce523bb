# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that dies the same way each time is given up; any other is not."""

import threading

from ci.model.stages import CellResult
from ci.run.tasks.deaths import Deaths
from ci.verdict.doubt import find_doubts
from ci.verdict.guest_tests import usual_seconds
from configs.result import Status
from guests.crash.outcome import End, Fault
from tests.ci.samples import PANIC, ran, run_of

KERNEL = ("patched", "x86_64", "plain")
GOOD = {"a": Status.PASS}
OTHER = Fault(kind="panic", title="Kernel panic - not syncing: other", fatal=True)


def dead(fault: Fault = PANIC) -> CellResult:
    return ran("patched", {}, end="panic", faults=[fault])


def reason(deaths: Deaths) -> str:
    with deaths.admitted(KERNEL) as admission:
        return admission.reason


def test_the_third_guest_that_dies_the_same_way_is_the_last() -> None:
    deaths, alive = Deaths(), ran("base", GOOD)
    for _ in range(3):
        assert reason(deaths) == ""
        deaths.add(KERNEL, dead(), alive)
    assert reason(deaths) == (
        "not booted: 3 guests of this kernel had ended the same way before"
        f" ({PANIC.title} at do_exit at kernel/exit.c:807)"
    )
    with deaths.admitted(("patched", "aarch64", "plain")) as admission:
        assert (admission.reason, admission.alone) == ("", False), "another kernel"


def test_one_that_lives_clears_the_kernel() -> None:
    deaths, alive = Deaths(), ran("base", GOOD)
    for result in (dead(), dead(), ran("patched", GOOD), dead(), dead()):
        deaths.add(KERNEL, result, alive)
    assert reason(deaths) == ""


def test_two_ways_to_die_are_no_pattern() -> None:
    deaths, alive = Deaths(), ran("base", GOOD)
    for fault in (PANIC, OTHER, PANIC, OTHER):
        deaths.add(KERNEL, dead(fault), alive)
    assert reason(deaths) == ""


def test_what_kills_base_as_well_is_not_this_kernels_death() -> None:
    deaths = Deaths()
    for _ in range(5):
        deaths.add(KERNEL, dead(), ran("base", {}, end="panic", faults=[PANIC]))
    assert reason(deaths) == ""


def test_a_suspect_is_tried_by_one_guest_at_a_time() -> None:
    deaths, alive = Deaths(), ran("base", GOOD)
    deaths.add(KERNEL, dead(), alive)
    deaths.add(KERNEL, dead(), alive)
    seen: list[str] = []
    with deaths.admitted(KERNEL) as admission:
        assert (admission.reason, admission.alone) == ("", True)
        waiting = threading.Thread(target=lambda: seen.append(reason(deaths)))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive(), "it has to wait for the one that is being tried"
        deaths.add(KERNEL, dead(), alive)
    waiting.join(5)
    assert seen
    assert seen[0].startswith("not booted: 3 guests")


def test_of_cells_that_died_the_same_way_one_is_run_again() -> None:
    abis = ("x86_64", "i386", "x32")
    sides = [ran("base", GOOD, abi=abi) for abi in abis]
    sides += [ran("patched", {}, abi=abi, end="panic", faults=[PANIC]) for abi in abis[:2]]
    sides.append(ran("patched", {}, abi="x32", end="panic", faults=[OTHER]))
    assert [doubt.judged.abi for doubt in find_doubts(sides, run_of(sides))] == ["x86_64", "x32"]
    again = [ran("base", GOOD, attempt=1), ran("patched", GOOD, attempt=1)]
    left = find_doubts([*sides, *again], run_of(sides))
    assert [doubt.judged.abi for doubt in left] == ["i386", "x32"], "the first did not do it again"


def test_only_a_program_that_did_all_says_how_long_it_takes() -> None:
    assert usual_seconds(ran("base", {"p": Status.PASS, "p.a": Status.PASS, "q.a": Status.FAIL}), "p") == 0.2
    assert usual_seconds(ran("base", {"p": Status.PASS, "p.a": Status.SKIP, "p.b": Status.FAIL}), "p") == 30.2
    assert usual_seconds(ran("base", {"p": Status.FAIL}), "p") is None
    assert usual_seconds(ran("base", {"pp": Status.PASS}), "p") is None


def test_a_suspect_is_tried_only_when_those_that_started_before_have_ended() -> None:
    """The third may still be dying when the fourth gets its turn."""
    deaths, alive, told = Deaths(), ran("base", GOOD), list[str]()
    fourth = threading.Thread(target=lambda: told.append(reason(deaths)), daemon=True)
    with deaths.admitted(KERNEL) as third:
        assert not third.alone
        deaths.add(KERNEL, dead(), alive)
        deaths.add(KERNEL, dead(), alive)
        fourth.start()
        fourth.join(0.2)
        assert fourth.is_alive()
        deaths.add(KERNEL, dead(), alive)
    fourth.join(5)
    assert [text.partition(":")[0] for text in told] == ["not booted"]


def test_no_guest_is_wanted_while_it_is_not_known_how_one_that_died_is_to_be_taken() -> None:
    """Its core is free as soon as it has ended; what base's guest does may be known much later."""
    deaths, alive = Deaths(), ran("base", GOOD)
    with deaths.admitted(KERNEL) as first:
        assert not deaths.suspects(KERNEL)
        first.ended(End.FINISHED)
        assert not deaths.suspects(KERNEL)
        first.ended(End.PANIC)
        first.ended(End.PANIC)
        assert deaths.suspects(KERNEL)
        deaths.add(KERNEL, dead(), alive)
    assert not deaths.suspects(KERNEL)
