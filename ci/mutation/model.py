# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of `rig.py mutate` finds out, in frozen values: `mutation.json` is this, and the other reports read it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from configs.model import Strict

FORMAT = 1


class MutantFate(StrEnum):
    """What became of a mutant. Only KILLED and SURVIVED count in the score.

    KILLED          a test that passes without the fault did not pass with it, or the guest did not come to its end
    SURVIVED        every suite ran, and none of them noticed
    EQUIVALENT      the compiler makes the same object code of it: there is nothing to notice
    DUPLICATE       the compiler makes the same object code of another mutant, which stands for both
    NO_COMPILE      the compiler refuses it
    UNKNOWN         the machine could not say
    NOT_TRIED       the time limit came first, or the run was interrupted
    """

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    DUPLICATE = "duplicate"
    NO_COMPILE = "does not compile"
    UNKNOWN = "unknown"
    NOT_TRIED = "not tried"


class MutantResult(Strict):
    """One mutant. `killer` is `ABI suite test` of what noticed it, `message` that test's message, the compiler's or the
    name of the twin; `seconds` is what it cost in this run, compiling and guests together; `cached` says that an
    earlier run had found it out."""

    name: str
    path: str
    line: int
    kind: str
    function: str
    patch: int = 0
    diff: tuple[str, ...]
    fate: MutantFate
    arch: str = ""
    killer: str = ""
    message: str = ""
    seconds: float = 0.0
    cached: bool = False


class Mutation(Strict):
    """One run. `suites` are the cells whose guests ran, with the seconds that each takes without a fault; `notes` say
    what was left out and why."""

    format: int = FORMAT
    rig_version: str
    started: datetime
    command: tuple[str, ...]
    source: str
    series: str
    archs: tuple[str, ...]
    lines: int
    """Added lines of C in all."""
    suites: tuple[tuple[str, float], ...] = ()
    mutants: tuple[MutantResult, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""
    """Why no mutant could be tried, where that is the kernel's fault or the series'; empty otherwise."""
    interrupted: bool = False
    seconds: float = 0.0

    def count(self, fate: MutantFate) -> int:
        return Counter(item.fate for item in self.mutants)[fate]

    @property
    def survivors(self) -> Sequence[MutantResult]:
        return [item for item in self.mutants if item.fate is MutantFate.SURVIVED]

    @property
    def counted(self) -> int:
        return self.count(MutantFate.KILLED) + self.count(MutantFate.SURVIVED)

    @property
    def exit_code(self) -> int:
        """0: every mutant that counts was killed; 1: some survived, or there is no kernel; 3: the machine could not
        say."""
        if self.failure or self.survivors:
            return 1
        return 0 if self.counted and not self.count(MutantFate.UNKNOWN) else 3
