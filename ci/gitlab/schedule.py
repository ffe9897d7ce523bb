# SPDX-License-Identifier: GPL-2.0-or-later
"""A scheduled pipeline over branches: each is tested from where it last was green, and not at all if nothing changed.

Where it was green is a line of a small JSON file, which the pipeline keeps in a cache of its own. A cache may be lost:
then the branch is tested from where the user says that it begins.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.model.verdicts import RunVerdict
from ci.report.output import RESULTS, read_results
from configs.model import Strict
from util.errors import UserError
from util.files.atomic import write_atomic
from util.text import one_line

STATE, CHANGES = "green.json", "changes.json"


class BranchChange(Strict):
    """What a branch has that it had not when it last was green: the commits `old..new`."""

    name: str
    branch: str
    old: str
    new: str


class Changes(Strict):
    """The file that the jobs of a scheduled pipeline share; `unchanged` are branches that need no job."""

    changes: tuple[BranchChange, ...] = ()
    unchanged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repository:
    """The clone of a job."""

    folder: Path

    def commit(self, name: str) -> str:
        """The full id of a commit. Raises UserError."""
        for spec in (f"refs/remotes/origin/{name}", name):
            found = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{spec}^{{commit}}")
            if found:
                return found
        raise UserError(f"{self.folder}: has no branch or commit {name}; the job must fetch all branches")

    def git(self, *words: str) -> str:
        """Standard output without its last newline; empty where git fails."""
        done = subprocess.run(("git", "-C", str(self.folder), *words), capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def holds(self, old: str, new: str) -> bool:
        """Whether `old` is `new` or comes before it."""
        done = subprocess.run(
            ("git", "-C", str(self.folder), "merge-base", "--is-ancestor", old, new), capture_output=True, check=False
        )
        return done.returncode == 0


def changes(repository: Repository, branches: Iterable[str], green: dict[str, str], since: str) -> Changes:
    """What there is to test. A branch that was rewritten begins at what it still has in common with its green commit.
    Raises UserError for a branch that is not there, or that has no beginning."""
    found, unchanged = [], []
    for branch in branches:
        new = repository.commit(branch)
        old = green.get(branch, "")
        if not old or not repository.git("cat-file", "-t", old):
            if not since:
                raise UserError(f"branch {branch} was never green: say by --since where it begins")
            old = repository.commit(since)
        if not repository.holds(old, new):
            old = repository.git("merge-base", old, new)
            if not old:
                raise UserError(f"branch {branch} has nothing in common with where it was green; say --since")
        if old == new:
            unchanged.append(branch)
            continue
        found.append(BranchChange(name=_slug(branch), branch=branch, old=old, new=new))
    names = [change.name for change in found]
    if len(set(names)) < len(names):
        raise UserError("two branches have names that differ only in signs; give one of them another name")
    return Changes(changes=tuple(found), unchanged=tuple(unchanged))


def _slug(branch: str) -> str:
    return f"branch-{re.sub(r'[^a-z0-9]+', '-', branch.lower()).strip('-')}"


def read_changes(path: Path) -> Changes:
    """Raises UserError."""
    try:
        return Changes.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: holds no changes of branches: {one_line(str(error))}") from None


def read_green(folder: Path) -> dict[str, str]:
    """Commits by branch; none where the file is missing or damaged."""
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(commit) for name, commit in found.items()} if isinstance(found, dict) else {}


def note_green(folder: Path, tested: Changes, outs: Path) -> list[tuple[BranchChange, RunVerdict]]:
    """Writes the commits of the branches that passed. Returns the verdict of each; one without results is unknown."""
    green = read_green(folder)
    verdicts = []
    for change in tested.changes:
        out = outs / change.name
        verdict = read_results(out).verdict if (out / RESULTS).is_file() else RunVerdict.UNKNOWN
        verdicts.append((change, verdict))
        if verdict is RunVerdict.PASS:
            green[change.branch] = change.new
    write_atomic(folder / STATE, json.dumps(green, indent=1) + "\n")
    return verdicts


def script(change: BranchChange, words: Sequence[str], rig: str, out: str) -> list[str]:
    """The lines of the job that tests a change; `words` are quoted."""
    places = f'--source "git:$CI_PROJECT_DIR@{change.old}" --series "$CI_PROJECT_DIR:{change.old}..{change.new}"'
    return [f"{rig} check {' '.join(words)} {places} --out {out}/{change.name}"]
