# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes from b4: a branch that `b4 prep` or `b4 review` manages, and a thread by its message-id.

b4 is an optional program (https://b4.docs.kernel.org). Where its tracking stands is read in its own source, ez.py.
"""

import json
import re
import shutil
import sys
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kernels.patches.kinds.git_range import Range, read_commits
from kernels.source.git import environment
from kernels.source.store import Store
from kernels.source.user_repo import UserRepo, find_repo
from util.children.program import run
from util.errors import MachineError, UserError
from util.stop import Stop
from util.text import one_line

MARKER = "--- b4-submit-tracking ---"
"""Stands in the message of the commit that holds a cover letter, above b4's tracking in JSON."""
REVIEWED = "--- b4-review-tracking ---"
"""The same in the commit at the tip of a branch of `b4 review` (its review/_review.py)."""
REVIEWS = "b4/review/"
"""How the name of such a branch begins; the change-id of the series follows."""

_BRANCH = re.compile(r"(?:(?P<path>.+):)?(?P<name>[^\s:~^?*\[\\@<>]+)")
_NAME = re.compile(r"<?([^\s<>@]+@[^\s<>@/]+)>?")


@dataclass(frozen=True, slots=True)
class B4Branch:
    """A branch of `b4 prep` or `b4 review`: its commits without the cover letter's, and what its tracking says."""

    commits: Range
    title: str
    revision: int


def read_branch(spec: str, places: Sequence[Path], store: Store, stop: Stop) -> B4Branch | None:
    """The branch `[REPOSITORY:]BRANCH`; None where no repository has such a branch. Raises UserError for one that b4
    does not manage."""
    match = _BRANCH.fullmatch(spec)
    if match is None:
        return None
    for place in [Path(match["path"]).expanduser()] if match["path"] else places:
        repo = find_repo(place) if place.is_dir() else None
        ref = f"refs/heads/{match['name']}"
        if repo and (tip := repo.rev(ref, "commit")):
            return _prepared(repo, match["name"], tip, spec, store, stop)
    return None


def _prepared(repo: UserRepo, name: str, tip: str, spec: str, store: Store, stop: Stop) -> B4Branch:
    at_tip = repo.git("show", "-s", "--format=%B", tip, stop=stop).stdout.decode("utf-8", "replace")
    if REVIEWED in at_tip:
        return _reviewed(repo, tip, at_tip, spec, store, stop)
    log = ("log", "--first-parent", "--max-count=1", "--format=%H", "--fixed-strings", f"--grep={MARKER}", tip)
    cover = repo.git(*log, stop=stop).stdout.decode().strip()
    if cover:
        text, _, tracking = repo.git("show", "-s", "--format=%B", cover, stop=stop).stdout.decode().partition(MARKER)
    else:
        text = repo.git("config", "--get", f"branch.{name}.description").stdout.decode("utf-8", "replace")
        tracking = repo.git("config", "--get", f"branch.{name}.b4-tracking").stdout.decode("utf-8", "replace")
    if not tracking:
        raise UserError(f"{spec}: is a branch that `b4 prep` does not manage; name its commits as a range, A..{name}")
    revision, base = _tracking(tracking, spec)
    if cover and cover != tip:
        found = read_commits(repo, cover, tip, spec, store, stop)
        parent = repo.rev(f"{cover}^", "commit") or found.start.commit
        found = replace(found, start=replace(found.start, commit=parent))
    else:
        end = f"{tip}^" if cover else tip
        fork = repo.git("merge-base", end, base, stop=stop).stdout.decode().strip() if base else ""
        if not fork:
            raise UserError(f"{spec}: b4 says that it is based on {base!r}, which {repo.top} does not have")
        found = read_commits(repo, fork, end, spec, store, stop)
    return B4Branch(found, one_line(text.strip().partition("\n")[0]), revision)


def _reviewed(repo: UserRepo, tip: str, message: str, spec: str, store: Store, stop: Stop) -> B4Branch:
    """The series as it was applied for a review: from its first commit up to the one below b4's own."""
    text, _, tracking = message.partition(REVIEWED)
    try:
        series = json.loads("{" + tracking.partition("{")[2])["series"]
        first, revision = str(series["first-patch-commit"]), int(series.get("revision", 1))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{spec}: the tracking that b4 keeps in this branch cannot be read") from None
    if not re.fullmatch(r"[0-9a-f]{40,64}", first) or repo.rev(f"{first}^", "commit") is None:
        raise UserError(f"{spec}: b4 names {first!r} as its first commit, which {repo.top} does not have")
    found = read_commits(repo, f"{first}^", f"{tip}^", spec, store, stop)
    return B4Branch(found, one_line(text.strip().partition("\n")[0]), revision)


def under_review(tracking_file: Path) -> str:
    """The branch of the series that b4 tells its checks about (`B4_TRACKING_FILE`). Raises UserError."""
    try:
        series = json.loads(tracking_file.read_text(encoding="utf-8"))["series"]
        return f"{REVIEWS}{series['change-id']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{tracking_file}: is no tracking of b4's") from None


def _tracking(text: str, spec: str) -> tuple[int, str]:
    """(revision, base branch)."""
    try:
        series = json.loads("{" + text.partition("{")[2])["series"]
        return int(series.get("revision", 1)), str(series.get("base-branch") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{spec}: the tracking that b4 keeps in this branch cannot be read") from None


def message_id(spec: str) -> str | None:
    """The message-id that a spec is, or that a link to an archive names (`https://lore.kernel.org/r/ID`)."""
    if re.match(r"https?://", spec):
        parts = urllib.parse.unquote(urllib.parse.urlsplit(spec).path).split("/")
        return next((part for part in parts if _NAME.fullmatch(part)), None)
    match = _NAME.fullmatch(spec.removeprefix("mid:"))
    return match[1] if match else None


def program() -> str:
    """b4, from the PATH or from where the rig's own Python is. Raises UserError where there is none."""
    beside = Path(sys.prefix) / "bin" / "b4"
    found = shutil.which("b4") or (str(beside) if beside.is_file() else None)
    if found is None:
        raise UserError("a message-id is looked up by the program b4, which is not installed (pip install b4)")
    return found


def fetch_thread(name: str, mailbox: str, folder: Path, stop: Stop) -> Path:
    """The mailbox of the thread that a message belongs to: from the archive that b4 is configured for, or from a local
    mailbox. Raises UserError where there is no such message, MachineError where b4 cannot reach the archive."""
    local: list[str] = []
    if mailbox:
        file = Path(mailbox).expanduser()
        if not file.exists():
            raise UserError(f"{mailbox}: no such mailbox")
        local = ["-m", str(file.resolve())]
    argv = [program(), "--no-interactive", "--no-stdin", *(["--offline-mode"] if local else []), "mbox", *local]
    done = run([*argv, "-o", str(folder), "-n", "thread", "--", name], env=environment(), cwd=folder, stop=stop)
    words = one_line((done.words.splitlines() or ["it said nothing"])[-1])
    files = sorted(file for file in folder.glob("thread*") if file.is_file() and file.stat().st_size)
    if done.status == 0 and files:
        return files[0]
    if mailbox:
        raise UserError(f"{mailbox}: holds no message {name} ({words})")
    raise MachineError(f"b4 cannot fetch {name}: {words}")
