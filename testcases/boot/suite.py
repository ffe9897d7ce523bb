# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest without a single program: its one result is whether the end marker came back."""

from pathlib import Path
from typing import TYPE_CHECKING

from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import KERNEL_ENDS, End, Outcome
from testcases.suite import Payload, Suite, SuiteContext, payload_digest
from util.errors import UserError

if TYPE_CHECKING:
    from kernels.kconfig.fragments import Fragment


class BootSuite:
    def folder(self, choice: SuiteChoice) -> str:
        if choice.name != "boot":
            raise UserError(f"suite `{choice.name}`: `boot` takes nothing behind its name")
        return ""

    def fragments(self, choice: SuiteChoice, tree: Path) -> tuple["Fragment", ...]:  # noqa: ARG002
        self.folder(choice)
        return ()

    def commands(self, context: SuiteContext, tree: Path, out: Path) -> tuple[tuple[str, ...], ...]:  # noqa: ARG002
        self.folder(context.choice)
        return ()

    def prepare(self, context: SuiteContext) -> Payload:
        self.folder(context.choice)
        return Payload((), (), payload_digest((), ()))

    def read(self, payload: Payload, outcome: Outcome) -> tuple[TestResult, ...]:  # noqa: ARG002
        if outcome.end is End.FINISHED:
            return (TestResult("boot", Status.PASS, outcome.seconds),)
        status = Status.FAIL if outcome.end in KERNEL_ENDS else Status.MISS
        return (TestResult("boot", status, outcome.seconds, outcome.message or str(outcome.end)),)


SUITE: Suite = BootSuite()
