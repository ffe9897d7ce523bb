# SPDX-License-Identifier: GPL-2.0-or-later
"""The patches that a series names as those it builds on: looked for, and applied beneath it as part of base.

`git format-patch --base` writes `prerequisite-patch-id:` for each of them in order, and b4 adds
`prerequisite-message-id:` of their threads. They are looked for among the other mails of the series' mailbox, in the
local mailbox, in the threads that b4 has or fetches, and among the commits of the source's branches. What is not found
or does not apply is said in one line, and base is without it.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from kernels.mail.mail import Mail, parse
from kernels.mail.thread import EVERYTHING, ThreadChoice, pick
from kernels.patches.apply import ALREADY, Applied, apply_series
from kernels.patches.kinds import b4
from kernels.patches.kinds.patch_folder import read_folder, read_mails
from kernels.patches.onto.base import source_place
from kernels.patches.patch import MESSAGE_ID, PATCH_ID, Patch, Series
from kernels.patches.series import read_patch
from kernels.source.resolve import Source
from kernels.source.store import Store
from kernels.source.user_repo import UserRepo
from util.errors import MachineError, UserError
from util.events import Listener
from util.stop import Stop

MAX_COMMITS = 1000
"""Of the source's branches the newest commits are looked at: git reads some hundred diffs of a kernel in a second."""
MAX_MAILS = 500
"""Of a mailbox as many mails with a diff: each costs four runs of git."""


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """The source with what the series builds on, and the lines that say so."""

    source: Source
    notes: tuple[str, ...] = ()


def with_prerequisites(
    source: Source, series: Series | None, choice: ThreadChoice, store: Store, emit: Listener, stop: Stop
) -> PreparedSource:
    """The source as it is where the series names nothing. Raises UserError for a link that leaves the tree,
    MachineError, Stopped."""
    if series is None or not series.asked.before:
        return PreparedSource(source)
    search = _Search(series, source, choice, store, stop)
    found, notes = search.patches()
    applied, there, refused = _applied(source, series, found, store, emit, stop)
    notes += refused
    if there:
        notes.append(f"base holds already what the series builds on: {_names(there)}")
    if not applied:
        return PreparedSource(source, tuple(notes))
    patches, done = applied
    commit = store.adopt(done.tree)
    title = f"{source.title} with {_count(len(patches))} beneath the series"
    note = f"base is {source.title} with {_count(len(patches))} that the series builds on: {_names(patches)}"
    return PreparedSource(replace(source, title=title, commit=commit, tree=done.tree), (note, *notes))


def _applied(
    source: Source, series: Series, found: Sequence[Patch], store: Store, emit: Listener, stop: Stop
) -> tuple[tuple[list[Patch], Applied] | None, list[Patch], list[str]]:
    """(the patches that apply and what they make; those that the source holds already; what is to be said)."""
    left, there = list(found), list[Patch]()
    while left:
        patches = tuple(replace(patch, number=number) for number, patch in enumerate(left, 1))
        beneath = Series(f"{series.origin}, prerequisites", "what the series builds on", 1, patches)
        done = apply_series(store, source, beneath, None, emit, stop)
        if done.failure is None:
            return (left, done), there, []
        at = done.failure.patch.number - 1
        if done.failure.message != ALREADY:
            words = f"the series builds on {left[at].subject!r}, which does not apply: {done.failure.message}"
            return None, there, [f"{words}; base is without the patches that the series builds on"]
        there.append(left.pop(at))
    return None, there, []


class _Search:
    """The places in which the patches of one series may be."""

    def __init__(self, series: Series, source: Source, choice: ThreadChoice, store: Store, stop: Stop) -> None:
        self._series, self._source, self._choice, self._store, self._stop = series, source, choice, store, stop
        self._mails = [*series.beside, *self._mailbox()]

    def patches(self) -> tuple[list[Patch], list[str]]:
        """Those that were found, in the order in which they are named, and what is to be said of the others."""
        ids = [name for kind, name in self._series.asked.before if kind == PATCH_ID]
        threads = [name for kind, name in self._series.asked.before if kind == MESSAGE_ID]
        return self._by_id(ids, threads) if ids else self._whole(threads)

    def _whole(self, threads: Sequence[str]) -> tuple[list[Patch], list[str]]:
        """All patches of the threads."""
        patches, notes = list[Patch](), list[str]()
        for name in threads:
            try:
                patches += self._thread(name)
            except (UserError, MachineError) as error:
                notes.append(f"the series builds on the thread {name}, which was not found ({error}); base is without")
        return patches, notes

    def _by_id(self, ids: Sequence[str], threads: Sequence[str]) -> tuple[list[Patch], list[str]]:
        """The patches with these patch-ids; the threads are only places in which they may be."""
        found: dict[str, Patch] = {}
        for patch in self._candidates(threads, set(ids)):
            if patch.patch_id in ids:
                found.setdefault(patch.patch_id, patch)
            if len(found) == len(set(ids)):
                break
        missing = [name for name in ids if name not in found]
        notes = []
        if missing:
            named = ", ".join(name[:12] for name in missing[:3]) + (", ..." if len(missing) > 3 else "")
            where = "neither in a mailbox nor in the source's branches"
            notes.append(
                f"the series builds on {_count(len(missing))} found {where} (patch id {named}); base is without"
            )
        return [found[name] for name in dict.fromkeys(ids) if name in found], notes

    def _candidates(self, threads: Sequence[str], wanted: set[str]) -> Iterator[Patch]:
        """The cheap places first; the caller stops when it has all."""
        for mail in [mail for mail in self._mails if mail.has_diff][:MAX_MAILS]:
            if patch := self._read(mail):
                yield patch
        for name in threads:
            with suppress(UserError, MachineError):
                yield from self._thread(name)
        if place := source_place(self._source.spec):
            yield from self._commits(place[0], wanted)

    def _read(self, mail: Mail) -> Patch | None:
        try:
            return read_patch(1, mail, self._store, self._stop)
        except UserError:
            return None  # no patch that the rig would apply

    def _mailbox(self) -> list[Mail]:
        if not self._choice.mailbox:
            return []
        path = Path(self._choice.mailbox).expanduser()
        return read_folder(path, self._stop).mails if path.is_dir() else read_mails(path, self._stop)

    def _thread(self, name: str) -> list[Patch]:
        """The series of the thread that a message belongs to. Raises UserError and MachineError where there is none."""
        thread = [mail for mail in self._mails if name == mail.message_id or name in mail.answers]
        if not thread:
            if b4.message_id(self._series.origin) is None:
                raise UserError("no mailbox holds it; --mailbox FILE names one")
            with self._store.scratch() as folder:
                found = b4.fetch_thread(name, self._choice.mailbox, folder, self._stop)
                thread = read_mails(found, self._stop)
        picked = pick(thread, name, EVERYTHING)
        return [read_patch(number, mail, self._store, self._stop) for number, mail in enumerate(picked.patches, 1)]

    def _commits(self, repo: UserRepo, wanted: set[str]) -> Iterator[Patch]:
        """Of the commits that branches have and base lacks those with these patch-ids; base's own come last, so that
        one which is there already is known as such."""
        base = self._source.spec.rpartition("@")[2] if self._source.spec.startswith("git:") else "HEAD"
        commit = repo.rev(base, "commit")
        if commit is None:
            return
        for revisions in (("--branches", "--remotes", f"^{commit}"), (commit,)):
            for patch_id, found in self._patch_ids(repo, revisions):
                if patch_id in wanted:
                    wanted.discard(patch_id)
                    yield from self._commit(repo, found, patch_id)
            if not wanted:
                return

    def _patch_ids(self, repo: UserRepo, revisions: Sequence[str]) -> list[tuple[str, str]]:
        """(patch-id, commit) of each."""
        form = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
        log = ("log", "-p", "--no-merges", f"--max-count={MAX_COMMITS}", *form, *revisions, "--")
        shown = repo.git(*log, stop=self._stop)
        lines = repo.git("patch-id", "--stable", data=shown.stdout, stop=self._stop).stdout.decode("ascii", "replace")
        return [(pair[0], pair[1]) for line in lines.splitlines() if len(pair := line.split()) == 2]

    def _commit(self, repo: UserRepo, commit: str, patch_id: str) -> Iterator[Patch]:
        written = repo.git("format-patch", "--stdout", "--no-signature", "--full-index", "-1", commit, stop=self._stop)
        for mail in parse(written.stdout.partition(b"\n")[2], commit[:12]):
            if patch := self._read(mail):
                yield replace(patch, patch_id=patch_id)


def _names(patches: Sequence[Patch]) -> str:
    return ", ".join(repr(patch.subject) for patch in patches)


def _count(number: int) -> str:
    return "1 patch" if number == 1 else f"{number} patches"
