# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite `kunit[/GLOB]`: the kernel runs its own tests while it boots, and a step reads what they came to.

The results come from debugfs, through the result channel, and not from the console: there another message may stand
between two parts of a line. A kernel that dies in a suite never gets so far; its console says in which one. The suites
that had not run by then run in guests of their own, each of which has only one to die of.
"""

import re
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from configs.loader import load
from configs.model import Strict, SuiteChoice
from configs.result import Status, TestResult
from initramfs.job import Step
from kernels.kconfig.fragments import Fragment, config_text, parse_fragment
from testcases.kunit.results import MARK, died_in, listed, read_results
from testcases.suite import Payload, Suite, SuiteContext, payload_digest
from util.errors import UserError
from util.paths import ROOT

if TYPE_CHECKING:
    from guests.crash.outcome import Outcome

_CONFIG = Path(__file__).with_name("kunit.config")
_PROVOKED = Path(__file__).with_name("provoked.yaml")
_TREE_CONFIG = "tools/testing/kunit/configs/all_tests.config"
_GLOB = re.compile(r"[A-Za-z0-9_.*?\[\]+-]+\Z")
_READ = f'for d in /sys/kernel/debug/kunit/*/; do echo "{MARK}$(basename "$d")"; cat "$d/results"; done'
_STEP = "kunit"
_BOOT_SECONDS = 300.0
"""At bare metal speed, from power-on to init: all suites run in that time, but for those that call themselves slow."""
_NOT_SLOW = "kunit.filter=speed>slow"
_LIST = "kunit.action=list"
_BUSY = ("rcupdate.rcu_cpu_stall_timeout=300", "watchdog_thresh=60")
"""A suite may compute for half a minute under an emulator (`rtc_lib_test_cases`: each day of 160,000 years), in a
kernel that does not preempt it: that is no stall. The most that kernel/rcu/tree_stall.h and kernel/watchdog.c take, in
seconds."""
_LEFT_LIMIT = 400
"""Further guests after a death."""


class ProvokedReport(Strict):
    """Reports of this title (a glob) are what a test asks for and judges."""

    title: str
    reason: str


class ProvokedReports(Strict):
    """The whole file."""

    provoked: tuple[ProvokedReport, ...]


class Kunit:
    def folder(self, choice: SuiteChoice) -> str:
        _glob(choice)
        return ""

    def fragments(self, choice: SuiteChoice, tree: Path) -> tuple[Fragment, ...]:
        """What the tree's own configuration for all tests names, as far as this architecture has it, and KUnit."""
        _glob(choice)
        name = str(_CONFIG.relative_to(ROOT))
        found = [parse_fragment(name, _CONFIG.read_text(encoding="utf-8"), name)]
        own = tree / _TREE_CONFIG
        if own.is_file():
            reason = "the tree's list of tests is written for another architecture"
            text = config_text(own.read_text(encoding="utf-8", errors="replace"))
            found.insert(0, parse_fragment("kunit", text, _TREE_CONFIG, reason))
        return tuple(found)

    def commands(self, context: SuiteContext, tree: Path, out: Path) -> tuple[tuple[str, ...], ...]:  # noqa: ARG002
        _glob(context.choice)
        return ()

    def prepare(self, context: SuiteContext) -> Payload:
        glob = _glob(context.choice)
        return _payload((f"kunit.filter_glob={glob}",) if glob else (_NOT_SLOW,), float(context.choice.timeout or 60))

    def read(self, payload: Payload, outcome: "Outcome") -> tuple[TestResult, ...]:
        if _LIST in payload.append:
            return ()
        step = outcome.steps[0]
        if step.how == "never-ran":
            suite = died_in(_console(outcome))
            if not suite:
                return (TestResult(_STEP, Status.MISS, message=f"no suite ran: {outcome.message or outcome.end}"),)
            text = f"the kernel did not survive it: {outcome.message or outcome.end}"
            return (TestResult(suite, Status.FAIL, message=text, output="\n".join(outcome.tail)),)
        results = tuple(read_results(step.stdout.decode("utf-8", "replace")))
        if not results:
            return (TestResult(_STEP, Status.ERROR, message="the kernel has no suite of this name, or no KUnit"),)
        return results

    def rest(self, payload: Payload, outcome: "Outcome") -> Generator[Payload, "Outcome", None]:
        """After a death: a guest that only lists the suites, and then one for each but that in which it died."""
        if outcome.steps[0].how != "never-ran" or not (guilty := died_in(_console(outcome))):
            return
        told = yield _payload((payload.append[0], _LIST), 60)
        left = [suite for suite in listed(_console(told)) if suite != guilty]
        for suite in left[:_LEFT_LIMIT]:
            yield _payload((f"kunit.filter_glob={suite}", _NOT_SLOW), 60)


def _payload(append: tuple[str, ...], timeout: float) -> Payload:
    steps = (Step(_STEP, ("/bin/busybox", "sh", "-c", _READ), timeout=timeout),)
    return Payload(
        (), steps, payload_digest((), steps), shell=True, append=(*append, *_BUSY), boot_seconds=_BOOT_SECONDS,
        provokes=_provoked(),
    )  # fmt: skip


@cache
def _provoked() -> tuple[str, ...]:
    return tuple(report.title for report in load(_PROVOKED, ProvokedReports).provoked)


def _console(outcome: "Outcome") -> str:
    return outcome.console.read_text(encoding="utf-8", errors="replace") if outcome.console.is_file() else ""


def _glob(choice: SuiteChoice) -> str:
    glob = choice.name.partition("/")[2]
    if glob and not _GLOB.match(glob):
        raise UserError(
            f"suite `{choice.name}`: behind the slash stands a glob over names of KUnit suites: kunit/list*"
        )
    return glob


SUITE: Suite = Kunit()
