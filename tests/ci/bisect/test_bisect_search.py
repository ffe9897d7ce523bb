# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisections over real git histories: git, the search, the state and the proof are real, the kernels are told."""

import os
import random
from pathlib import Path

import pytest

from ci.bisect.facts.signature import Sought, SoughtKind
from ci.bisect.report import files, mail, text
from ci.bisect.report.answer import BisectResult
from tests.ci.bisect.told import OF_A, SCENE, Ended, bisect, history
from tests.faketree import commit, git
from util.errors import UserError

CLEAN = "clean"


def scenes(count: int, culprit: int, bad: str, **odd: str) -> list[str]:
    """`count` scenes, all different; from `culprit` on they hold `bad`; `_3="nobuild"` replaces that of commit 3."""
    made = [f"{bad if number >= culprit else ''} n={number}".strip() for number in range(count)]
    for place, words in odd.items():
        made[int(place[1:])] += f" {words}"
    return made


def run(tmp_path: Path, told: list[str], sought: Sought = OF_A, **options: object) -> tuple[Ended, list[str]]:
    commits = history(tmp_path / "linux", told)
    return bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "state", sought, **options), commits  # type: ignore[arg-type]


@pytest.mark.parametrize("culprit", [13, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 40, 63))])
def test_the_first_bad_commit_of_64_with_few_builds(tmp_path: Path, culprit: int) -> None:
    ended, commits = run(tmp_path, scenes(64, culprit, "fail=a:broke"))
    answer = ended.answer
    assert answer.outcome is BisectResult.FOUND, answer.summary
    assert answer.culprit and answer.culprit.commit == commits[culprit]
    assert answer.exit_code == 0
    assert answer.confidence >= 0.99
    assert answer.proof.parents[0].failures == 0 < answer.proof.parents[0].boots
    assert answer.proof.culprit and answer.proof.culprit.failures > 1
    # both ends, log2(64) steps, and the bad end without the culprit
    assert len(set(ended.oracle.builds)) <= 2 + 6 + 1
    assert len(ended.oracle.builds) == len(set(ended.oracle.builds))


@pytest.mark.slow
@pytest.mark.parametrize("culprit", [1, 7, 15])
def test_each_next_step_was_foreseen_and_may_be_built_ahead(tmp_path: Path, culprit: int) -> None:
    ended, commits = run(tmp_path, scenes(16, culprit, "fail=a:broke"))
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[culprit]
    steps, foreseen = ended.oracle.builds[2:-1], ended.oracle.foreseen  # both ends come first, the revert last
    steps = [step for step in steps if step in commits]
    assert len(foreseen) >= len(steps) >= 3
    for step, before in zip(steps[1:], foreseen, strict=False):
        assert step in before, (steps, foreseen)
    assert all(len(items) <= 2 and commits[0] not in items and commits[-1] not in items for items in foreseen)


@pytest.mark.slow
def test_the_users_repository_is_not_touched(tmp_path: Path) -> None:
    commits = history(tmp_path / "linux", scenes(8, 5, "fail=a:broke"))

    def looks() -> dict[str, bytes | float]:
        paths = [path for path in (tmp_path / "linux").rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in paths} | {
            f"{path} time": path.stat().st_mtime for path in paths
        }

    before = looks()
    assert bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "state").answer.outcome is BisectResult.FOUND
    assert looks() == before


@pytest.mark.slow
def test_the_log_is_one_that_git_replays(tmp_path: Path) -> None:
    ended, commits = run(tmp_path, scenes(16, 9, "fail=a:broke"))
    (tmp_path / "log").write_text(ended.answer.log)
    said = git(tmp_path / "linux", "bisect", "replay", str(tmp_path / "log"))
    assert f"{commits[9]} is the first bad commit" in said


@pytest.mark.slow
def test_another_failure_is_not_the_one_that_is_looked_for(tmp_path: Path) -> None:
    """A panic stands in the middle, and for a stretch the same test fails in another way: both say nothing of it."""
    odd = {"_15": "panic"} | {f"_{number}": "fail=a:other" for number in range(20, 26)}
    ended, commits = run(tmp_path, scenes(32, 27, "fail=a:broke", **odd))
    answer = ended.answer
    assert answer.culprit and answer.culprit.commit == commits[27]
    reasons = {item.commit: item.reason for item in answer.skipped}
    assert commits[15] in reasons
    assert "Kernel panic" in reasons[commits[15]]
    assert "can be looked for as well" in text.render(answer)
    assert any("another fault: a: other" in reason for reason in reasons.values())


@pytest.mark.slow
def test_a_stretch_that_does_not_build_is_skipped_without_blame(tmp_path: Path) -> None:
    odd = {f"_{number}": "nobuild" for number in range(14, 20)}
    ended, commits = run(tmp_path, scenes(32, 25, "fail=a:broke", **odd))
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[25]
    assert any("does not build" in item.reason for item in ended.answer.skipped)


@pytest.mark.slow
def test_the_set_is_the_answer_where_the_culprit_is_among_skipped_commits(tmp_path: Path) -> None:
    odd = {f"_{number}": "nobuild" for number in (9, 10, 11)}
    ended, commits = run(tmp_path, scenes(16, 10, "fail=a:broke", **odd))
    assert ended.answer.outcome is BisectResult.SET
    assert ended.answer.exit_code == 3
    assert {item.commit for item in ended.answer.candidates} == set(commits[9:13])


@pytest.mark.slow
def test_a_flaky_fault_is_found_with_the_confidence_that_was_asked_for(tmp_path: Path) -> None:
    ended, commits = run(tmp_path, scenes(32, 11, "fail=a:broke rate=0.3"))
    answer = ended.answer
    assert answer.culprit and answer.culprit.commit == commits[11], answer.summary
    assert answer.confidence >= 0.99
    assert answer.rate == pytest.approx(0.3, abs=0.15)
    assert "% of boots" in text.render(answer)


@pytest.mark.slow
def test_a_splat_that_is_absent_is_good(tmp_path: Path) -> None:
    sought = Sought(kind=SoughtKind.SPLAT, pattern="WARNING*in foo")
    ended, commits = run(tmp_path, scenes(16, 7, "splat=WARNING_at_k.c_in_foo"), sought)
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[7]


@pytest.mark.slow
def test_a_verdict_looks_for_what_fails_at_the_bad_end_only(tmp_path: Path) -> None:
    told = [f"fail=b:always {'fail=a:broke' if number >= 6 else ''} n={number}" for number in range(16)]
    ended, commits = run(tmp_path, told, Sought(kind=SoughtKind.VERDICT))
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[6]


@pytest.mark.slow
def test_a_figure_that_moved(tmp_path: Path) -> None:
    told = [f"value={100 + (7 if number >= 9 else 0)} n={number}" for number in range(16)]
    ended, commits = run(tmp_path, told, Sought(kind=SoughtKind.BUDGET, pattern="a/insns"))
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[9]
    assert max(ended.oracle.boots.count(one) for one in commits) <= 2


@pytest.mark.slow
def test_the_commit_that_does_not_build_any_more(tmp_path: Path) -> None:
    ended, commits = run(tmp_path, scenes(16, 6, "nobuild"), Sought(kind=SoughtKind.TEST, pattern="build/kernel"))
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[6]
    assert ended.oracle.boots == []


@pytest.mark.slow
def test_the_commit_that_panics_at_boot(tmp_path: Path) -> None:
    ended, commits = run(tmp_path, scenes(16, 11, "panic"), Sought(kind=SoughtKind.TEST, pattern="guest/end"))
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[11]


@pytest.mark.slow
def test_the_commit_that_mended_it(tmp_path: Path) -> None:
    told = [f"{'fail=a:broke' if number < 10 else ''} n={number}" for number in range(16)]
    ended, commits = run(tmp_path, told, fixed=True)
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[10]
    assert "git bisect fixed" in ended.answer.log


def branch_and_merge(folder: Path) -> tuple[list[str], str]:
    """main: 0 1 2 M 8; a branch off 1 with four commits, of which the third breaks it, merged at M."""
    trunk = history(folder, ["n=0", "n=1", "n=2"])
    git(folder, "checkout", "--quiet", "-b", "topic", trunk[1])
    side = [commit(folder, f"fake: topic {n}", {"topic.c": f"int t{n};\n"}) for n in range(2)]
    side.append(commit(folder, "fake: topic breaks it", {SCENE: "fail=a:broke n=1", "bad.c": "x\n"}))
    side.append(commit(folder, "fake: topic end", {"topic.c": "int t9;\n"}))
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "--no-ff", "-X", "theirs", "-m", "Merge topic", "topic")
    merge = git(folder, "rev-parse", "HEAD").strip()
    commit(folder, "fake: after", {SCENE: "fail=a:broke n=8"})
    return [*trunk, *side], merge


@pytest.mark.slow
def test_a_culprit_inside_of_a_merged_branch(tmp_path: Path) -> None:
    commits, merge = branch_and_merge(tmp_path / "linux")
    found = bisect(tmp_path / "linux", commits[0], "HEAD", tmp_path / "state").answer
    assert found.culprit and found.culprit.commit == commits[5], found.summary
    first = bisect(tmp_path / "linux", commits[0], "HEAD", tmp_path / "state2", first_parent=True).answer
    assert first.culprit and first.culprit.commit == merge


@pytest.mark.slow
def test_path_limits_and_a_culprit_outside_of_them(tmp_path: Path) -> None:
    commits = history(tmp_path / "linux", scenes(15, 9, "fail=a:broke"))
    inside = bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "s1", paths=("file0.c",)).answer
    assert inside.culprit and inside.culprit.commit == commits[9]
    outside = bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "s2", paths=("file1.c",)).answer
    assert outside.outcome is BisectResult.DOUBTFUL
    assert "outside of the path limits" in outside.summary


def test_ends_that_are_alike(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, scenes(8, 99, "fail=a:broke"), rate=0.5)
    assert (ended.answer.outcome, ended.answer.exit_code) == (BisectResult.ALIKE, 1)
    assert "neither end shows" in ended.answer.summary
    (tmp_path / "both").mkdir()
    both, _ = run(tmp_path / "both", scenes(8, 0, "fail=a:broke"))
    assert both.answer.exit_code == 1
    assert "both ends show the fault" in both.answer.summary


def test_ends_that_are_swapped_and_names_that_nothing_answers_to(tmp_path: Path) -> None:
    commits = history(tmp_path / "linux", [f"{'fail=a:broke' if n < 4 else ''} n={n}" for n in range(8)])
    with pytest.raises(UserError, match="swapped"):
        bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "state")
    with pytest.raises(UserError, match=r"no test answers to `\*aa`.*nearest: a"):
        bisect(
            tmp_path / "linux", commits[0], commits[-1], tmp_path / "s2", Sought(kind=SoughtKind.TEST, pattern="*aa")
        )
    with pytest.raises(UserError, match="swapped"):
        bisect(tmp_path / "linux", commits[-1], commits[0], tmp_path / "s3")


def test_an_end_that_does_not_build_is_said_at_once(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, scenes(8, 4, "fail=a:broke", _7="nobuild"))
    assert (ended.answer.outcome, ended.answer.exit_code) == (BisectResult.UNKNOWN, 3)
    assert "cannot be built" in ended.answer.summary


@pytest.mark.slow
def test_a_second_run_starts_from_what_is_known(tmp_path: Path) -> None:
    ended, commits = run(tmp_path, scenes(64, 30, "fail=a:broke"))
    again = bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "state")
    assert (again.oracle.builds, again.oracle.boots) == ([], [])
    assert again.answer.culprit == ended.answer.culprit
    other = bisect(tmp_path / "linux", commits[2], commits[-1], tmp_path / "state")
    assert len(other.oracle.builds) < len(ended.oracle.builds)


@pytest.mark.slow
def test_equal_binaries_are_booted_once(tmp_path: Path) -> None:
    """Sixty commits that change nothing that is built: two binaries in all."""
    told = ["fail=a:broke" if number >= 30 else "" for number in range(60)]
    told[30] = "fail=a:broke"
    ended, _ = run(tmp_path, told)
    assert len(ended.oracle.boots) <= 16


@pytest.mark.slow
def test_a_culprit_with_its_parents_kernel_is_called_suspicious(tmp_path: Path) -> None:
    told = [f"{'fail=a:broke' if number >= 5 else ''} kernel={number - (number == 5)}" for number in range(10)]
    ended, commits = run(tmp_path, told)
    answer = ended.answer
    assert answer.culprit and answer.culprit.commit == commits[5]
    assert (answer.outcome, answer.exit_code) == (BisectResult.DOUBTFUL, 3)
    assert "is the same binary as its parent's" in answer.proof.suspicious[0]
    assert "SUSPICIOUS: the kernel of" in text.render(answer)
    assert "Take this with care" in mail.render(answer)


@pytest.mark.slow
def test_a_culprit_that_touches_nothing_that_is_built_is_called_suspicious(tmp_path: Path) -> None:
    commits = history(tmp_path / "linux", scenes(6, 99, ""))
    culprit = commit(tmp_path / "linux", "docs: innocent", {SCENE: "fail=a:broke"})
    commit(tmp_path / "linux", "fake: last", {SCENE: "fail=a:broke n=8", "file.c": "int x;\n"})
    answer = bisect(tmp_path / "linux", commits[0], "HEAD", tmp_path / "state").answer
    assert answer.culprit and answer.culprit.commit == culprit
    assert answer.outcome is BisectResult.DOUBTFUL
    assert "the build reads none of the files" in answer.proof.suspicious[0]


@pytest.mark.slow
def test_a_revert_that_does_not_mend_is_no_proof(tmp_path: Path) -> None:
    ended, commits = run(tmp_path, scenes(10, 5, "fail=a:broke"), reverted="fail=a:broke")
    assert ended.answer.culprit and ended.answer.culprit.commit == commits[5]
    assert ended.answer.outcome is BisectResult.DOUBTFUL
    assert "still shows the fault" in ended.answer.summary


class Killed(BaseException):
    """As SIGKILL: nothing that follows is run."""


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_the_answer_is_the_same(tmp_path: Path, seed: int) -> None:
    commits = history(tmp_path / "linux", scenes(32, 19, "fail=a:broke", _15="nobuild"))
    whole = bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "whole").answer
    chance = random.Random(seed)

    def die() -> None:
        if chance.random() < 0.3:
            raise Killed

    for _ in range(60):
        try:
            answer = bisect(tmp_path / "linux", commits[0], commits[-1], tmp_path / "state", interrupt=die).answer
            break
        except Killed:
            continue
    assert answer.culprit == whole.culprit
    assert answer.skipped == whole.skipped


@pytest.mark.slow
def test_a_report_of_the_kernel_is_quoted_with_its_decoded_trace(tmp_path: Path) -> None:
    sought = Sought(kind=SoughtKind.SPLAT, pattern="in foo")
    ended, _ = run(tmp_path, scenes(4, 2, "splat=WARNING_at_k.c_in_foo"), sought)
    shown = ended.answer.proof.culprit
    assert shown and shown.evidence
    assert text.quoted(shown.evidence.failures[0]) == ["WARNING at k.c in foo", "decoded trace:", "foo at k.c:1"]


@pytest.mark.slow
def test_the_reports(tmp_path: Path) -> None:
    ended, commits = run(tmp_path, scenes(16, 9, "fail=a:broke"))
    answer = files.write(ended.answer, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "bisect.json", "junit.xml", "summary.txt", "bisect.log", "mail.txt"
    }  # fmt: skip
    told = text.render(answer)
    assert told.splitlines()[-1].startswith("found (exit 0")
    assert "is free of it" in told
    letter = mail.render(answer)
    assert f'Fixes: {commits[9][:12]} ("fake: commit 9")' in letter
    assert "git bisect log" in letter
    assert os.fspath(tmp_path / "linux") in told
