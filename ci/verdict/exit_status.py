# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses, among them those that `git bisect run` understands (git-bisect(1)): 0 good, 1 bad, 125 skip this
commit, 128 and above stop the bisection. `docs/bisect.md` shows the use."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ci.model.results import Run
from ci.model.verdicts import Comparison, Effect
from ci.verdict.compare.builds import BUILD
from ci.verdict.test_filter import NOBODY
from configs.result import Status
from util.errors import ABORT, KconfigError, RigError, UserError

GOOD, BAD, SKIP = 0, 1, 125
_WORDS = {GOOD: "good", BAD: "bad", SKIP: "skip", ABORT: "stop"}


@dataclass(frozen=True, slots=True)
class ForGit:
    """What `git bisect run` is told about a commit, and why."""

    status: int
    reason: str

    @property
    def line(self) -> str:
        """The last line of a report under bisection: `for git: skip (the kernel does not build: ...)`."""
        return f"for git: {_WORDS[self.status]} ({self.reason})"


def under_way(source: str | None) -> bool:
    """Whether a `git bisect` goes on in the folder that is the source: then the exit status is for git."""
    return bool(source) and _git_path(str(source), "BISECT_START") is not None


def first_step(source: str | None) -> bool:
    """Whether the bisection in a folder has not asked any commit but its ends, or there is none."""
    path = _git_path(str(source), "BISECT_LOG") if source else None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path else []
    marks = [line for line in lines if line.startswith("git bisect ") and not line.startswith("git bisect start")]
    started = next((line.split()[3:] for line in lines if line.startswith("git bisect start")), [])
    ends = 0 if len([word for word in started if not word.startswith("'--")]) >= 2 else 2
    return len(marks) <= ends


def standing_source(source: str) -> str:
    """A folder under bisection as a source that still means the same after git has moved on: the commit that is checked
    out there, or the folder's full path where it holds changes."""
    path = Path(source).resolve()
    changed = _git(source, "status", "--porcelain")
    head = _git(source, "rev-parse", "--verify", "HEAD")
    return str(path) if head is None or changed is None or changed else f"git:{path}@{head}"


def _git(folder: str, *words: str) -> str | None:
    command = ("git", "-C", folder, *words)
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else None


def _git_path(source: str, name: str) -> Path | None:
    if not Path(source).is_dir():
        return None
    shown = _git(source, "rev-parse", "--git-path", name)
    path = Path(source) / shown if shown else None
    return path if path and path.exists() else None


def exit_status(run: Run, bisect: bool = False, test: str = "", first: bool = False) -> int:
    """The exit status of a concluded run. `test` is the glob that `conclude` selected with, if any.

    Under bisection only what a booted kernel answered counts. A kernel that does not build or does not boot is skipped,
    unless `test` names just that (`kernel`, `guest/end`).
    """
    return for_git(run, test, first).status if bisect else run.exit_code


def for_git(run: Run, test: str = "", first: bool = False) -> ForGit:
    """What git is told. `first` says that no commit of the bisection was asked yet: then a name that no test answers to
    stops it, for it would skip every commit."""
    answers = [(_answer(run, item, bool(test)), item) for item in run.comparisons]
    for status in (BAD, SKIP):
        found = next((item for answer, item in answers if answer == status), None)
        if found is None:
            continue
        if status == SKIP and first and found.message.startswith(NOBODY):
            return ForGit(ABORT, f"{found.test}: {found.message}")
        return ForGit(status, _why(found))
    if not answers:
        return ForGit(SKIP, "nothing was judged")
    if test and len(answers) == 1 and answers[0][1].message:
        return ForGit(GOOD, f"{answers[0][1].test}: {answers[0][1].message}")
    return ForGit(GOOD, f"{len(answers)} tests, and none fails" if len(answers) > 1 else f"{answers[0][1].test} passes")


def _why(item: Comparison) -> str:
    if item.cell.suite == BUILD and item.test == "kernel":
        return f"the kernel does not build: {item.message}"
    status = "/".join(dict.fromkeys(status.value if status else "absent" for status in item.patched))
    if item.message.startswith(("the kernel does not build", "not reached")):
        return item.message
    where = " ".join(part for part in (item.cell.abi, item.cell.suite) if part not in ("", "-"))
    return f"{item.test} {status}{f' on {where}' if where else ''}{f': {item.message}' if item.message else ''}"


def error_status(error: RigError, bisect: bool = False) -> int:
    """The exit status of a run that gave up. A user's mistake would make every commit bad: it stops the bisection. A
    commit that does not have what the configuration asks for cannot be built, and is passed over."""
    if not bisect:
        return error.exit_code
    return ABORT if isinstance(error, UserError) and not isinstance(error, KconfigError) else SKIP


def error_line(error: RigError) -> str:
    """The same in words."""
    return ForGit(error_status(error, True), str(error)).line


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
