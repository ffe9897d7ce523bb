# SPDX-License-Identifier: GPL-2.0-or-later
"""Failures as cases that stand alone (`fuzz.reproducer`), in a folder of their own beside the console's log."""

from collections.abc import Sequence
from pathlib import Path

from testcases.seccomp.check.context import CheckContext
from testcases.seccomp.check.verdicts import TrialFailure
from testcases.seccomp.filters.reproducer import FilterCase, save

REPRODUCERS = "reproducers"


def keep(
    failure: TrialFailure, context: CheckContext, folder: Path, kernel: str, kernels: Sequence[str], origin: str = ""
) -> tuple[Path, FilterCase]:
    """Writes the case below `folder`, in place of an older one of the same `origin` (absent: the trial's name).
    `kernel` says where it failed, `kernels` are options for a command that tries it again. Returns the case's own
    folder, and what was written."""
    complaint, trial = failure.complaint, failure.trial
    origin, call = origin or trial.name, complaint.call
    case = FilterCase(
        abi=context.abi,
        check=failure.check,
        way=trial.way.name,
        between=bool(trial.between),
        nr=call.nr if call else context.seccomp,
        arch=call.arch if call else 0,
        args=call.args if call else (0,) * 6,
        expected=complaint.expected,
        observed=complaint.observed or complaint.text,
        origin=origin,
        kernel=kernel,
    )
    own = folder / REPRODUCERS / origin.replace("/", "-")
    return own, save(own, case, trial.stack, kernels)
