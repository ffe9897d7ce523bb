# SPDX-License-Identifier: GPL-2.0-or-later
"""What is bisected: commits of a repository, the prefixes of a series, or sets of configuration lines.

A series is a range as well: once applied, its patches are commits in the rig's store, one on top of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci.plan.plan import Plan
from kernels.patches.apply import apply_series
from kernels.patches.onto.base import choose_base
from kernels.patches.onto.prerequisites import PreparedSource, with_prerequisites
from kernels.patches.patch import Series
from kernels.patches.series import read_series
from kernels.source.resolve import Source, resolve_source
from kernels.source.store import Store
from kernels.source.user_repo import UserRepo, find_repo
from util.errors import UserError
from util.events import Event, Listener, Phase
from util.stop import Stop
from util.text import counted


@dataclass(frozen=True, slots=True)
class BisectStep:
    """One kernel to ask. `commit` names it in the history that git bisects (for a configuration: a name of its own),
    `source` and `series` are specs as the command line takes them, `patches` how many of the series, `config` further
    kconfig lines."""

    commit: str
    label: str
    source: str
    series: str = "none"
    patches: int | None = None
    config: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """The commits between two ends. `place` is the folder that names the repository, `objects` where git finds them;
    `good` and `bad` are full ids."""

    place: Path
    objects: tuple[Path, ...]
    good: str
    bad: str
    paths: tuple[str, ...] = ()
    first_parent: bool = False
    series: str = ""
    source: str = ""
    order: tuple[str, ...] = field(default=(), repr=False)
    """Of a series: the commit of each prefix, from no patch at all."""

    def step(self, commit: str) -> BisectStep:
        """The kernel of a commit."""
        if self.order:
            count = self.order.index(commit)
            return BisectStep(commit, f"patch-{count}", self.source, self.series if count else "none", count or None)
        return BisectStep(commit, commit[:12], f"git:{self.place}@{commit}")

    def name(self, commit: str) -> str:
        """`1234567890ab`, or `patch 3 of 6`."""
        if self.order and commit in self.order:
            count = self.order.index(commit)
            return f"patch {count} of {len(self.order) - 1}" if count else "the source without a patch"
        return commit[:12]


def git_history(folder: Path, good: str, bad: str, paths: Sequence[str], first_parent: bool) -> History:
    """The range `good..bad` of the repository in `folder`, which is only read. Raises UserError."""
    repo = find_repo(folder) if folder.is_dir() else None
    if repo is None:
        raise UserError(f"{folder}: is not a git repository; --source names the one to bisect in")
    ends = {name: _commit(repo, folder, name) for name in (good, bad)}
    if ends[good] == ends[bad]:
        raise UserError(f"--good {good} and --bad {bad} are the same commit, {ends[good][:12]}")
    if _is_ancestor(repo, ends[bad], ends[good]):
        raise UserError(f"--bad {bad} is an ancestor of --good {good}: the two are swapped (to find what mended "
                        "a fault, say --fixed)")  # fmt: skip
    if paths and not repo.git("rev-list", "-1", f"{ends[good]}..{ends[bad]}", "--", *paths).stdout.strip():
        raise UserError(f"no commit of {good}..{bad} touches {' '.join(paths)}")
    return History(repo.top, (repo.objects,), ends[good], ends[bad], tuple(paths), first_parent)


def _commit(repo: UserRepo, folder: Path, name: str) -> str:
    commit = repo.rev(name, "commit")
    if commit is None:
        raise UserError(f"{folder}: has no commit `{name}`")
    return commit


def _is_ancestor(repo: UserRepo, one: str, other: str) -> bool:
    return repo.git("merge-base", "--is-ancestor", one, other).status == 0


def series_history(
    plan: Plan, store: Store, emit: Listener, stop: Stop, good: int | None = None, bad: int | None = None
) -> History:
    """The prefixes of the plan's series, from no patch (or `good` patches) to all (or `bad`). Raises UserError."""
    profile = plan.profile
    series: Series = read_series(profile.series, store, profile.source, stop, plan.choice)
    base = choose_base(profile.source, series, keep=plan.keep_base)
    source: Source = resolve_source(base.spec, store, emit, stop)
    ground = (
        PreparedSource(source) if plan.keep_base else with_prerequisites(source, series, plan.choice, store, emit, stop)
    )
    source = ground.source
    for note in (*base.notes, *ground.notes):
        emit(Event("series", Phase.NOTE, note))
    count = len(series.patches)
    first, last = good or 0, count if bad is None else bad
    if not 0 <= first < last <= count:
        raise UserError(f"--good {first} --bad {last}: the series has {counted(count, 'patch')}; good comes before bad")
    applied = apply_series(store, source, series, None, emit, stop)
    if applied.failure:
        raise UserError(f"{profile.series}: {applied.failure}")
    listed = store.git("rev-list", "--reverse", "--first-parent", f"{source.commit}..{applied.commit}").split()
    order = (source.commit, *listed)
    return History(
        store.git_dir,
        (store.git_dir / "objects",),
        order[first],
        order[last],
        series=profile.series,
        source=base.spec,
        order=order,
    )
