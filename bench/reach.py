# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of a kernel's own tests the rig reaches: every target of a tree, run or with what it needs, in one table."""

import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.report.output import RESULTS
from configs.loader import as_yaml, load_arch, load_profile
from configs.model import Arch, Profile, SuiteChoice
from configs.result import Status
from initramfs.base import native_abi
from kernels.source.resolve import resolve_source
from kernels.source.store import Store
from kernels.source.worktree import worktree
from testcases.selftests.needs import listed
from testcases.selftests.needs import offers as offers_of
from testcases.suite import TopicOffer
from util.errors import MachineError
from util.events import silent
from util.paths import ROOT
from util.stop import Stop

COLUMNS = (Status.PASS, Status.FAIL, Status.SKIP, Status.ERROR, Status.MISS)
_BAD = (Status.FAIL, Status.ERROR, Status.MISS)
_MEMORY_MB = 1024


@dataclass(frozen=True, slots=True)
class TargetRow:
    """One target: what its tests came to, or why none ran. `listed`: it is among the TARGETS of the tree."""

    target: str
    listed: bool
    reason: str = ""
    counts: Counter[Status] = field(default_factory=Counter)
    seconds: float = 0.0
    known: int = 0
    """Of those that are no PASS and no SKIP: how many have a reason among the known issues."""
    open: tuple[str, ...] = ()
    """The names of the others."""

    @property
    def line(self) -> str:
        if self.reason:
            return f"{self.target:32} {self.reason}"
        numbers = "".join(f"{self.counts[status]:7}" for status in COLUMNS)
        return f"{self.target:32} {self.counts.total():6}{numbers}{self.known:7} {self.seconds:8.0f}"


def reach(
    version: str, arch_name: str, only: Sequence[str], folder: Path, jobs: int | None = None, *, twice: bool = False
) -> tuple[bool, str]:
    """Runs the targets (those of the globs, or all; a glob behind `!` takes targets out), and gives whether every FAIL,
    ERROR and MISS is a known issue, and the table. With `twice` all guests start again, on the same kernel, and a test
    that is no known issue must come to the same. `jobs` is how many guests run at once, by default the rig's own
    number.

    Raises UserError, and MachineError where a run leaves no results."""
    source, arch, started = f"debian:linux-source-{version}", load_arch(arch_name), time.monotonic()
    offers, own = _offers(source, arch)
    wanted = [offer for offer in offers if offer.topic in own or not offer.kind]
    wanted = [offer for offer in wanted if _asked_for(offer.topic, only)]
    topics = [offer.topic for offer in wanted if not offer.kind]
    at_once = ("--jobs", str(jobs)) if jobs else ()
    run = _run(source, arch, topics, folder, *at_once)
    cells = {cell.cell.suite.partition("/")[2]: cell for cell in run.cells}
    known = _known(run)
    rows = [_row(offer, offer.topic in own, cells.get(offer.topic), known) for offer in wanted]
    lines = [*table(rows, f"{version} {arch_name}", time.monotonic() - started, len(own))]
    unlike = unlike_tests(run, _run(source, arch, topics, folder / "again", "--fresh", *at_once)) if twice else ()
    lines += unlike or (["a second run: every test that is no known issue came to the same"] if twice else [])
    text = "\n".join(lines)
    (folder / "reach.txt").write_text(text + "\n", encoding="utf-8")
    return not unlike and not any(row.open for row in rows), text


def _known(run: Run) -> frozenset[tuple[str, str]]:
    """Suite and test of what is a known issue."""
    return frozenset((item.cell.suite, item.test) for item in run.comparisons if item.known)


def unlike_tests(first: Run, second: Run) -> tuple[str, ...]:
    """A line for each test whose status is another in the second run, or that is in one of the two alone; known issues
    aside."""
    runs = [
        {(cell.cell.suite, test.name): test.status for cell in run.cells for test in cell.tests}
        for run in (first, second)
    ]
    known = _known(first) | _known(second)
    names = [name for name in dict.fromkeys((*runs[0], *runs[1])) if name not in known]
    pairs = [(name, *(str(run.get(name, "absent")) for run in runs)) for name in names]
    return tuple(
        f"not the same twice: {suite}: {test}: {one}, then {two}" for (suite, test), one, two in pairs if one != two
    )


def _asked_for(target: str, globs: Sequence[str]) -> bool:
    wanted = [glob for glob in globs if not glob.startswith("!")]
    unwanted = [glob[1:] for glob in globs if glob.startswith("!")]
    return any(fnmatchcase(target, glob) for glob in wanted or ["*"]) and not any(
        fnmatchcase(target, glob) for glob in unwanted
    )


def _offers(source: str, arch: Arch) -> tuple[list[TopicOffer], frozenset[str]]:
    store, stop = Store(), Stop()
    commit = resolve_source(source, store, silent, stop).commit
    with worktree(store, commit, silent, stop) as tree:
        return list(offers_of(tree, arch)), listed(tree)


def _run(source: str, arch: Arch, targets: Sequence[str], folder: Path, *further: str) -> Run:
    """One check of all the targets: one kernel, a guest for each. `further` are options of the command."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = Profile(
        name="reach",
        description=f"selftests of {source} on {arch.name}",
        source=source,
        archs=(arch.name,),
        abis=(next(name for name, abi in arch.abis.items() if abi == native_abi(arch)),),
        suites=tuple(SuiteChoice(name=f"selftests/{target}") for target in targets),
        size=False,
        memory_mb=_MEMORY_MB,
        known_issues=load_profile("selftests").known_issues,
    )
    path = folder / "profile.yaml"
    path.write_text(as_yaml(profile.model_dump(mode="json")), encoding="utf-8")
    command = [str(ROOT / "rig.py"), "check", "--profile", str(path), "--out", str(folder), *further]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)  # progress is on the other stream
    if not (folder / RESULTS).is_file():
        raise MachineError(f"`{' '.join(command)}` left no results")
    return Run.model_validate_json((folder / RESULTS).read_text(encoding="utf-8"))


def _row(offer: TopicOffer, is_listed: bool, cell: CellResult | None, known: Collection[tuple[str, str]]) -> TargetRow:
    if offer.kind:
        return TargetRow(offer.topic, is_listed, f"needs {offer.kind}: {offer.reason}")
    if cell is None or (cell.not_run and not cell.tests):
        return TargetRow(offer.topic, is_listed, f"not run: {cell.not_run if cell else 'no such cell'}")
    bad = {test.name: test.status for test in cell.tests if test.status in _BAD}
    explained = {name for name in bad if (cell.cell.suite, name) in known}
    left = tuple(f"{status} {cell.cell.suite}: {name}" for name, status in bad.items() if name not in explained)
    counts = Counter(test.status for test in cell.tests)
    return TargetRow(offer.topic, is_listed, "", counts, cell.seconds, len(explained), left)


def table(rows: Sequence[TargetRow], title: str, seconds: float, listed_count: int) -> Iterator[str]:
    """The targets that ran, then the others with what they need, then the sums."""
    ran, rest = [row for row in rows if not row.reason], [row for row in rows if row.reason]
    total: Counter[Status] = sum((row.counts for row in ran), Counter())
    yield f"selftests of {title}"
    yield f"{'target':32} {'tests':>6}" + "".join(f"{word!s:>7}" for word in (*COLUMNS, "known")) + "  seconds"
    yield from (row.line for row in ran)
    yield from (row.line for row in rest)
    yield TargetRow("all that ran", True, "", total, seconds, sum(row.known for row in ran)).line
    clean = sum(not any(row.counts[status] for status in _BAD) for row in ran)
    among = sum(row.listed for row in ran)
    yield (
        f"{among} of the {listed_count} TARGETS of the tree and {len(ran) - among} others ran; "
        f"{clean} of them without FAIL, ERROR or MISS"
    )
    yield from (f"no reason known: {words}" for row in ran for words in row.open)
