# SPDX-License-Identifier: GPL-2.0-or-later
"""Applies a series to a source with `git am --3way`, in an index of its own and without a whole checkout.

Only the files that the series touches stand in its working tree (a merge takes a missing one for a change of the
user's), so a series applies in the time of its patches rather than in that of 75,000 files: 0.8 s instead of 17 s.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.mail.diff import scan
from kernels.patches.kinds.git_range import bring_commits
from kernels.patches.links import check_links
from kernels.patches.patch import Patch, Series, digest_of, first
from kernels.source.git import DATE, IDENTITY, neutralise, require, run_git
from kernels.source.resolve import Source
from kernels.source.store import Store
from util.children.program import Finished
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.stop import Stop
from util.text import counted

ALREADY = "the source holds this change already"
"""Of a patch that applies backwards."""
SETTINGS = (
    "am.keepcr=true",
    "am.messageid=false",
    "rerere.enabled=false",
    "apply.whitespace=nowarn",
)

_FAILED = re.compile(r"^error: patch failed: (.*):(\d+)$", re.MULTILINE)
_CONFLICT = re.compile(r"^CONFLICT \([^)]*\): Merge conflict in (.*)$", re.MULTILINE)
_ERROR = re.compile(r"^(?:error|fatal): (.*)$", re.MULTILINE)
_FILE_ERROR = re.compile(r"^error: ([^:\n]+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FailedPatch:
    """A patch that does not apply. `hunk` is the `@@` line of the first hunk that fails, or nothing where no single
    hunk is to blame; `message` is one line, git's own words where it had any."""

    patch: Patch
    file: str
    hunk: str
    message: str

    def __str__(self) -> str:
        place = f" ({self.file}{', hunk ' + self.hunk if self.hunk else ''})" if self.file else ""
        return f"patch {self.patch.number}, {self.patch.subject!r}, does not apply{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Applied:
    """`commit` and `tree` after the last patch; after a failure, those before the patch that failed."""

    commit: str
    tree: str
    failure: FailedPatch | None = None


def apply_series(
    store: Store, source: Source, series: Series, patches: int | None, emit: Listener, stop: Stop
) -> Applied:
    """The source with the first `patches` patches of the series (None: with all). A series that does not apply is a
    value. Raises UserError for a link that leaves the tree, MachineError, Stopped.

    The commits of a range that begins at the source's tree are taken as they are, so the tree of the last is the
    range's own; on another tree they are applied as patches are.
    """
    chosen = first(series, patches).patches
    if not chosen:
        return Applied(source.commit, source.tree)
    as_commits = series.start is not None and series.start.tree == source.tree
    trees = "".join(patch.made.tree for patch in chosen if patch.made and as_commits)
    key = hashlib.sha256(f"{source.tree} {digest_of(chosen)}{trees}".encode()).hexdigest()
    ref = f"refs/rig/applied/{key}"
    known = store.run("rev-parse", "--verify", "--quiet", ref)
    if known.status == 0:
        commit = known.stdout.decode().strip()
        tree = store.tree_of(commit)
        store.touch(tree)
        return Applied(commit, tree)
    step = f"apply {series.title}"
    emit(Event(step, Phase.START, f"{counted(len(chosen), 'patch')} on {source.title}"))
    if series.start:
        bring_commits(series.start, chosen, store, as_commits, stop)
    if as_commits:
        applied = _commits(store, source, chosen, stop)
    else:
        with store.scratch() as folder:
            applied = _ScratchRepository(store, folder, stop).apply(source, chosen)
    if applied.failure:
        emit(Event(step, Phase.FAILED, str(applied.failure)))
        return applied
    check_links(store, source.tree, applied.tree, series.origin)
    store.touch(applied.tree)
    store.git("update-ref", ref, applied.commit)
    emit(Event(step, Phase.DONE))
    return applied


def _commits(store: Store, source: Source, patches: Sequence[Patch], stop: Stop) -> Applied:
    """The commits of a range on top of the source: tree, author and message are theirs, the committer is the rig."""
    commit = source.commit
    for patch in patches:
        stop.check()
        made = patch.made
        assert made is not None
        head = [
            b"tree " + made.tree.encode(),
            b"parent " + commit.encode(),
            b"author " + made.author,
            f"committer {IDENTITY} <{IDENTITY}@localhost> {DATE}".encode(),
            *([b"encoding " + made.encoding] if made.encoding else []),
        ]
        written = store.run("hash-object", "-t", "commit", "-w", "--stdin", data=b"\n".join([*head, b"", made.message]))
        commit = require(written).decode().strip()
    return Applied(commit, store.tree_of(commit))


class _ScratchRepository:
    """A repository that lives for one series: HEAD, index, a nearly empty working tree, and the store's objects."""

    def __init__(self, store: Store, folder: Path, stop: Stop) -> None:
        self.store, self.stop = store, stop
        self.git_dir, self.tree = folder / "git", folder / "tree"
        self.tree.mkdir()
        self.env = {"GIT_OBJECT_DIRECTORY": str(store.git_dir / "objects"), "GIT_WORK_TREE": str(self.tree)}
        require(run_git(self.git_dir, "init", "--quiet", "--bare", "--template=", stop=stop))
        neutralise(self.git_dir)

    def git(self, *args: str, data: bytes | None = None) -> Finished:
        settings = [word for setting in ("core.bare=false", *SETTINGS) for word in ("-c", setting)]
        done = run_git(self.git_dir, *settings, *args, data=data, env=self.env, cwd=self.tree, stop=self.stop)
        return self.store.checked(done)

    def apply(self, source: Source, patches: Sequence[Patch]) -> Applied:
        """One `git am` over all patches: each further call would read and write the whole index again."""
        require(self.git("update-ref", "--no-deref", "HEAD", source.commit))
        require(self.git("read-tree", source.tree))
        paths = sorted({path for patch in patches for path in patch.paths})
        names = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
        self.git(
            "checkout-index", "--quiet", "--index", "-z", "--stdin", data=names
        )  # new ones are not there to check out
        mailbox = b"".join(patch.mail for patch in patches)
        # A commit of a range may be empty; a mail without a diff is refused where the series is read.
        keep = ("--empty=keep",) if any(patch.made and not patch.paths for patch in patches) else ()
        said = self.git("am", "--3way", "--patch-format=mboxrd", "--keep-cr", "--no-gpg-sign", *keep, data=mailbox)
        if said.status < 0:
            raise MachineError(f"git am died of signal {-said.status}")
        commits = require(self.git("rev-list", "--reverse", f"{source.commit}..HEAD")).decode().split()
        if said.status == 0 and len(commits) == len(patches):
            return Applied(commits[-1], self.store.tree_of(commits[-1]))
        failed = _skipped(said) or self._stopped_at() or len(commits) + 1
        commit = [source.commit, *commits][failed - 1]
        require(self.git("update-ref", "--no-deref", "HEAD", commit))
        return Applied(commit, self.store.tree_of(commit), self._why(patches[failed - 1], said))

    def _stopped_at(self) -> int:
        """The number of the patch at which `git am` stopped; 0 if it did not say."""
        try:
            return int((self.git_dir / "rebase-apply" / "next").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _why(self, patch: Patch, said: Finished) -> FailedPatch:
        """What went wrong: git applies with three ways in silence, so the patch is tried once more without."""
        merge = said.stdout.decode("utf-8", "replace") + said.stderr.decode("utf-8", "replace")
        diff = self._diff(patch)
        require(self.git("read-tree", "HEAD"))
        if self.git("apply", "--cached", "--check", "--reverse", "-", data=diff).status == 0:
            return FailedPatch(patch, patch.paths[0], "", ALREADY)
        alone = self.git("apply", "--cached", "--check", "-", data=diff).stderr.decode("utf-8", "replace")
        failed = _FAILED.search(alone)
        if failed:
            return FailedPatch(patch, failed[1], _hunk(diff, failed[1], int(failed[2])), failed[0][len("error: ") :])
        about = _FILE_ERROR.search(alone)
        if about and about[1] in patch.paths:
            return FailedPatch(patch, about[1], "", f"{about[1]}: {about[2]}")
        conflict = _CONFLICT.search(merge)
        if conflict:
            return FailedPatch(patch, conflict[1], "", conflict[0])
        words = _ERROR.search(alone) or _ERROR.search(merge)
        last = (said.words.splitlines() or ["git am failed"])[-1]
        return FailedPatch(patch, patch.paths[0] if len(patch.paths) == 1 else "", "", words[1] if words else last)

    def _diff(self, patch: Patch) -> bytes:
        """The diff of the patch, by git's own reading of its mail."""
        raw = re.sub(rb"^>(>*From )", rb"\1", patch.mail.partition(b"\n")[2], flags=re.MULTILINE)
        target = self.git_dir / "diff"
        message = self.git_dir / "message"
        require(self.git("mailinfo", "--no-scissors", "--encoding=UTF-8", str(message), str(target), data=raw))
        return target.read_bytes()


def _skipped(said: Finished) -> int:
    """The number of the first patch that `git am` passed over, because merging it left nothing; 0 if there is none."""
    number = 0
    for line in said.stdout.decode("utf-8", "replace").splitlines():
        number += line.startswith("Applying: ")
        if line.startswith("No changes -- Patch already applied"):
            return number
    return 0


def _hunk(diff: bytes, path: str, line: int) -> str:
    """The `@@` line of the hunk that starts at `line` of the old file."""
    hunks = [hunk for file in scan(diff).files if path in file.names for hunk in file.hunks]
    return next((text for start, text in hunks if start == line), "")
