# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses, among them those that `git bisect run` understands (git-bisect(1)): 0 good, 1 bad, 125 skip this
commit, 128 and above stop the bisection. `docs/bisect.md` shows the use."""

import subprocess
from pathlib import Path

from ci.model.results import Comparison, Effect, Run
from ci.verdict.compare_builds import BUILD
from configs.result import Status
from util.errors import ABORT, KconfigError, RigError, UserError

GOOD, BAD, SKIP = 0, 1, 125


def under_way(source: str | None) -> bool:
    """Whether a `git bisect` goes on in the folder that is the source: then the exit status is for git."""
    if not source or not Path(source).is_dir():
        return False
    command = ("git", "-C", source, "rev-parse", "--git-path", "BISECT_START")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode == 0 and (Path(source) / run.stdout.strip()).exists()


def exit_status(run: Run, bisect: bool = False, test: str = "") -> int:
    """The exit status of a concluded run. `test` is the glob that `conclude` selected with, if any.

    Under bisection only what a booted kernel answered counts. A kernel that does not build or does not boot is skipped,
    unless `test` names just that (`kernel`, `guest/end`).
    """
    if not bisect:
        return run.exit_code
    answers = {_answer(run, item, bool(test)) for item in run.comparisons}
    if BAD in answers:
        return BAD
    return SKIP if SKIP in answers or not answers else GOOD


def error_status(error: RigError, bisect: bool = False) -> int:
    """The exit status of a run that gave up. A user's mistake would make every commit bad: it stops the bisection. A
    commit that does not have what the configuration asks for cannot be built, and is passed over."""
    if not bisect:
        return error.exit_code
    return ABORT if isinstance(error, UserError) and not isinstance(error, KconfigError) else SKIP


def _answer(run: Run, item: Comparison, selected: bool) -> int:
    if item.effect is Effect.UNKNOWN:
        return SKIP
    if item.effect is Effect.FAIL:
        return BAD if selected or not _never_booted(run, item) else SKIP
    # of a test that was asked for by name, having been skipped is no answer
    return SKIP if selected and Status.PASS not in item.patched else GOOD


def _never_booted(run: Run, item: Comparison) -> bool:
    """True where the failure is that there was no kernel to ask."""
    if item.cell.suite == BUILD:
        return True
    if not item.test.startswith("guest/"):
        return False
    return not any(cell.booted for cell in run.cells if cell.cell == item.cell and not cell.suite_variant)
