# SPDX-License-Identifier: GPL-2.0-or-later
"""`check --coverage`: whole runs on the kernel in miniature, whose counters are those of its real object, linked to a
program of this machine."""

from xml.etree import ElementTree

import pytest

from ci.model.coverage import LineState
from tests.scenes.stage import Stage, says

SYMBOLS = ("GCOV_KERNEL", "DEBUG_FS")
"""What the flavour gcov asks for."""
AFTER = """\
/* It is the first line. */
int pick(int nr)
{
	if (nr > 3)
		return 5;
	return 1;
}

#ifdef CONFIG_NOWHERE
int never(void)
{
	return 3;
}
#endif

int chosen = 1;

int schedule(void)
{
	return pick(chosen);
}
"""


@pytest.fixture
def scene(stage: Stage) -> Stage:
    known = (stage.tree / "Kconfig").read_text()
    missing = "".join(f'\nconfig {name}\n\tbool "{name}"\n' for name in SYMBOLS if f"config {name}\n" not in known)
    stage.base({"Kconfig": known + missing, "kernel/sched.c": "int schedule(void)\n{\n\treturn 1;\n}\n"})
    return stage


@pytest.mark.slow
def test_each_added_line_is_executed_missed_left_out_or_no_code(scene: Stage) -> None:
    scene.patched(says("covers=kernel/sched.o"), {"kernel/sched.c": AFTER})
    ended = scene.check("--coverage")
    assert ended.status == 0, ended.stderr
    coverage = ended.run.coverage
    assert coverage is not None
    assert coverage.notes == ()
    narrow = scene.check("--coverage", "--test", "one.*").run.coverage
    assert narrow and narrow.notes == ("programs of which no result can answer to --test one.* did not run",)
    states = {
        line.number: line.state for file in coverage.files if file.path == "kernel/sched.c" for line in file.lines
    }
    assert {number for number, state in states.items() if state is LineState.MISSED} == {5}
    assert {number for number, state in states.items() if state is LineState.LEFT_OUT} == {12}
    assert {4, 20} <= {number for number, state in states.items() if state is LineState.EXECUTED}
    assert states[1] is LineState.NO_CODE
    assert {line.patch for file in coverage.files for line in file.lines if file.path == "kernel/sched.c"} == {2}
    text = ended.report("summary.txt")
    assert f"coverage: {coverage.executed} of {coverage.executed + 1} added lines with code were executed" in text
    assert "never executed: 1 line\n  kernel/sched.c:5 (patch 2): return 5;\n" in text
    assert "compiled by no configuration of this run: 1 line\n  kernel/sched.c:12 (patch 2): return 3;\n" in text
    lcov = ended.report("coverage.info")
    assert "SF:kernel/sched.c\n" in lcov
    assert "DA:5,0\n" in lcov
    assert "DA:12" not in lcov
    root = ElementTree.fromstring(ended.report("coverage.xml"))
    (file,) = root.iter("class")
    assert file.get("filename") == "kernel/sched.c"
    hits = {int(line.get("number", 0)): int(line.get("hits", -1)) for line in file.iter("line")}
    assert hits[5] == 0
    assert hits[4] > 0
    assert root.get("lines-valid") == str(len(hits))
    page = ended.report("report.html")
    assert '<tr class="line-missed"><th scope="row" class="number">5</th>' in page
    assert '<tr class="line-not-compiled"><th scope="row" class="number">12</th>' in page


@pytest.mark.slow
def test_a_guest_without_counters_is_a_note_and_no_coverage(scene: Stage) -> None:
    scene.patched(says("note=nothing"), {"kernel/sched.c": AFTER})
    ended = scene.check("--coverage")
    assert ended.status == 0, ended.stderr
    assert ended.run.coverage
    assert ended.run.coverage.notes == ("x86_64 x86_64 selftests/seccomp: its kernel shows no counters",)
    assert "none of it was counted" in ended.stdout or "none of it was counted" in ended.report("summary.txt")


@pytest.mark.slow
def test_without_the_option_nothing_is_counted(scene: Stage) -> None:
    scene.patched({"kernel/sched.c": AFTER})
    ended = scene.check()
    assert ended.run.coverage is None
    assert not (ended.folder / "coverage.xml").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [((), "there is no series"), (("--suite", "checkpatch"), "needs suites that run in a guest")],
)
def test_a_mistake_is_one_line(scene: Stage, words: tuple[str, ...], line: str) -> None:
    if words:
        scene.patched({"kernel/sched.c": AFTER})
    ended = scene.check("--coverage", *words)
    assert (ended.status, ended.stdout) == (2, "")
    assert line in ended.stderr
