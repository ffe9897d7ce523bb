# SPDX-License-Identifier: GPL-2.0-or-later
"""Joining shards, without a run: order, machines, coverage."""

from pathlib import Path

import pytest

from ci.merge.join import join
from ci.merge.parts import ShardFolder, read_parts
from ci.model.coverage import AddedLine, Coverage, FileCoverage, LineState, joined_coverage
from ci.model.results import HostRecord, Run
from ci.model.shard import Shard
from ci.model.verdicts import RunVerdict
from ci.plan.shards import ShardChoice, Shards
from ci.report.output import write_reports
from configs.result import Status
from tests.ci.samples import SUITE, built, judged, ran
from util.errors import MachineError, UserError

PLACES = tuple(
    f"{arch}/{abi}/plain/{SUITE}" for arch, abi in (("x86_64", "x86_64"), ("x86_64", "i386"), ("aarch64", "arm"))
)
KERNELS = ("x86_64/-/plain/build", "aarch64/-/plain/build")


def shard(name: str, arch: str, abi: str, status: Status = Status.PASS, plan: str = "digest") -> Run:
    """A shard of one guest for each variant, with the kernels of its architecture."""
    cells = [ran("base", {"a": Status.PASS}, arch=arch, abi=abi), ran("patched", {"a": status}, arch=arch, abi=abi)]
    run = judged(cells, [built("base", arch=arch), built("patched", arch=arch)])
    kernels = () if abi == "i386" else (f"{arch}/-/plain/build",)
    own = (f"{arch}/{abi}/plain/{SUITE}", *kernels)
    record = Shard(name=name, plan=plan, places=own, all=(*KERNELS, *PLACES), whole=True, folder=f"/out/{name}")
    host = HostRecord(
        cpus=len(name), machine=arch, qemu="7.2.19", accel={arch: "tcg"}, compilers={arch: f"gcc for {arch}"}
    )
    return run.model_copy(
        update={"shard": record, "host": host, "command": ("rig.py", "check", "--shard", name, "--out=x")}
    )


RUNS = (shard("three", "aarch64", "arm"), shard("one", "x86_64", "x86_64"), shard("two", "x86_64", "i386"))


def parts(*runs: Run) -> list[ShardFolder]:
    return [ShardFolder(Path(f"/shards/{run.shard.name}"), run, run.shard) for run in runs if run.shard]


def test_cells_and_kernels_are_in_the_order_of_the_plan_and_each_kernel_once() -> None:
    run = join(parts(*RUNS), Path("/joined")).run
    assert run.verdict is RunVerdict.PASS and run.shard is None
    told = [(cell.cell.arch, cell.cell.abi, cell.cell.variant) for cell in run.cells]
    pairs = [("x86_64", "x86_64"), ("x86_64", "i386"), ("aarch64", "arm")]
    assert told == [(*pair, variant) for pair in pairs for variant in ("base", "patched")]
    kernels = [(build.variant, build.arch) for build in run.builds]
    assert kernels == [(variant, arch) for variant in ("base", "patched") for arch in ("x86_64", "aarch64")]
    assert run.host.compilers == {arch: f"gcc for {arch}" for arch in ("x86_64", "aarch64")}
    assert run.host.machine == "aarch64, x86_64" and run.host.cpus == 5
    assert run.command == ("rig.py", "check", "--out", "/joined")


@pytest.mark.parametrize("left", range(3))
def test_whatever_is_missing_is_named_and_there_is_no_pass(left: int) -> None:
    have = [run for number, run in enumerate(RUNS) if number != left]
    name = parts(RUNS[left])[0].shard.name
    choices = tuple(ShardChoice(name=run.shard.name, places=run.shard.places) for run in RUNS if run.shard)
    joined = join(parts(*have), Path("/joined"), Shards(shards=choices))
    assert joined.run.verdict is RunVerdict.UNKNOWN and joined.run.exit_code == 3
    assert f"shard {name} is missing" in joined.notes[0]


def test_a_failure_outweighs_what_is_missing() -> None:
    joined = join(parts(shard("one", "x86_64", "x86_64", Status.FAIL)), Path("/joined"))
    assert joined.run.verdict is RunVerdict.FAIL and "no shard holds this cell" in joined.run.summary
    with pytest.raises(MachineError):
        join([], Path("/joined"))


def test_shards_of_another_plan_are_refused(tmp_path: Path) -> None:
    for run in (RUNS[0], shard("other", "x86_64", "x86_64", plan="another")):
        write_reports(run, tmp_path / str(run.shard and run.shard.name))
    with pytest.raises(UserError, match="different plans: their options"):
        read_parts([tmp_path / "three", tmp_path / "other"])
    found, notes = read_parts([tmp_path / "three", tmp_path / "nothing"])
    assert [part.shard.name for part in found] == ["three"] and "cut off" in notes[0]


def line(number: int, state: LineState, count: int = 0) -> AddedLine:
    return AddedLine(number=number, patch=1, text=f"line {number}", state=state, count=count)


def test_a_line_counts_as_executed_if_any_shard_executed_it() -> None:
    one = [
        line(1, LineState.MISSED),
        line(2, LineState.EXECUTED, 3),
        line(3, LineState.LEFT_OUT),
        line(4, LineState.NO_CODE),
    ]
    other = [
        line(1, LineState.EXECUTED, 2),
        line(2, LineState.EXECUTED, 4),
        line(3, LineState.MISSED),
        line(4, LineState.NO_CODE),
    ]
    found = [
        Coverage(files=(FileCoverage(path="a.c", lines=tuple(lines)),), cells=(name,), notes=("the same",))
        for name, lines in (("x86_64", one), ("aarch64", other))
    ]
    joined = joined_coverage(found)
    assert joined and [(item.state.value, item.count) for item in joined.files[0].lines] == [
        ("executed", 2), ("executed", 7), ("missed", 0), ("no code", 0)
    ]  # fmt: skip
    assert joined.cells == ("x86_64", "aarch64") and joined.notes == ("the same",)
    assert joined_coverage([]) is None


def test_a_shard_that_did_not_come_to_its_end_leaves_no_pass_even_if_every_cell_has_an_answer() -> None:
    cut = RUNS[0].model_copy(update={"shard": RUNS[0].shard and RUNS[0].shard.model_copy(update={"whole": False})})
    joined = join(parts(cut, *RUNS[1:]), Path("/joined"))
    assert (joined.run.verdict, joined.run.exit_code) == (RunVerdict.UNKNOWN, 3)
    assert joined.notes == ("/shards/three: shard three did not come to its end",)
