# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py mutate`: whole runs on the kernel in miniature. The numbers of the mutants are those of the switch."""

import json
import os
import signal
from typing import Any
from xml.etree import ElementTree

import pytest

from ci.mutation import judge_cells
from ci.mutation.model import MutantFate
from kernels.build.build import build_kernel
from kernels.mutants.find import interleaved, mutants
from kernels.mutants.schema import SWITCH
from tests.scenes.stage import Ended, Stage, says

HEADERS = {
    "include/linux/export.h": "#define EXPORT_SYMBOL_GPL(name)\n",
    "include/linux/init.h": "#define __init\n#define early_param(name, setup) const void *name_##setup = setup\n",
    "include/linux/kernel.h": "#define KERNEL_ANSWER 42\nint check_nr(int nr);\n"
    "int kstrtoint(const char *text, unsigned int base, int *result);\n",
}
"""What a real kernel has and the one in miniature lacks: what the switch is made of."""
BEFORE = "int schedule(void)\n{\n\treturn 42;\n}\n"
AFTER = "int pick(int nr)\n{\n\tif (nr > 3)\n\t\treturn 5;\n\treturn 1;\n}\n\nint schedule(void)\n{\n\treturn 42;\n}\n"
LINES = dict.fromkeys(range(1, 8), 1)
EVERY = interleaved(mutants("kernel/sched.c", AFTER, LINES))


@pytest.fixture
def scene(stage: Stage) -> Stage:
    """A series of two patches: what the guest plays, and the function `pick`."""
    stage.base({**HEADERS, "kernel/sched.c": BEFORE})
    return stage


def mutated(stage: Stage, plays: str, *further: str) -> Ended:
    stage.patched(says(plays), {"kernel/sched.c": AFTER})
    return again(stage, *further)


def again(stage: Stage, *further: str) -> Ended:
    words = [word for word in stage.arguments(*further) if word != "check"]
    return stage.call("mutate", *words)


def told(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.report("mutation.json"))
    return found


def fates(ended: Ended) -> list[str]:
    return sorted(item["fate"] for item in told(ended)["mutants"])


def viable(ended: Ended) -> int:
    return sum(item["fate"] in (MutantFate.KILLED, MutantFate.SURVIVED) for item in told(ended)["mutants"])


@pytest.mark.slow
def test_each_fault_is_noticed_or_shown_as_a_diff(scene: Stage) -> None:
    ended = mutated(scene, "fail#1=one.a end#2=panics fail#3=two.b skip#4=two.a")
    assert ended.status == 1, ended.stderr
    found = told(ended)
    killed = [item for item in found["mutants"] if item["fate"] == "killed"]
    assert [item["killer"].split()[1:] for item in killed] != []
    assert {item["killer"].split()[-1] for item in killed} == {"one.a", "guest/end", "two.b", "two.a"}
    assert {item["path"] for item in found["mutants"]} == {"kernel/sched.c"}
    assert {item["patch"] for item in found["mutants"]} == {2}
    assert len(found["mutants"]) == len(EVERY)
    survivors = [item for item in found["mutants"] if item["fate"] == "survived"]
    assert survivors
    text = ended.report("mutation.txt")
    assert text.startswith("Your tests would not notice this:\n")
    for item in survivors:
        assert f"kernel/sched.c:{item['line']} in pick()" in text
        assert all(f"    {line}\n" in text for line in item["diff"])
    cases = list(ElementTree.fromstring(ended.report("junit.xml")).iter("testcase"))
    assert len(cases) == len(EVERY)
    assert sum(case.find("failure") is not None for case in cases) == len(survivors)
    assert ended.stdout.startswith(f"killed 4 of {4 + len(survivors)} (")


@pytest.mark.slow
def test_only_the_tests_of_a_name_are_to_notice(scene: Stage) -> None:
    ended = mutated(scene, "fail#1=one.a end#2=panics fail#3=two.b skip#4=one.b", "--test", "one.a")
    found = told(ended)
    assert {item["killer"].split()[-1] for item in found["mutants"] if item["killer"]} == {"one.a", "guest/end"}
    assert "only tests that --test one.a names were asked" in found["notes"]
    ended = again(scene, "--test", "one.zz")
    assert "none of its tests that --test one.zz names passes" in ended.report("mutation.txt")


@pytest.mark.slow
def test_all_noticed_is_a_success(scene: Stage) -> None:
    plays = " ".join(f"fail#{number}=one.a" for number in range(1, 40))
    ended = mutated(scene, plays)
    assert (ended.status, "survived" in fates(ended)) == (0, False), ended.stdout
    assert set(fates(ended)) <= {"killed", "equivalent", "duplicate"}


@pytest.mark.slow
def test_what_fails_without_a_fault_as_well_notices_nothing(scene: Stage) -> None:
    ended = mutated(scene, "fail=one.a")
    assert ended.status == 1
    assert "killed" not in fates(ended)


@pytest.mark.slow
def test_a_guest_that_hangs_is_ended_and_has_noticed(scene: Stage) -> None:
    ended = mutated(scene, "end#1=test_hangs fail#2=one.a")
    killers = [item for item in told(ended)["mutants"] if item["killer"].endswith("guest/end")]
    assert len(killers) == 1, ended.stdout
    assert killers[0]["seconds"] < 11


@pytest.mark.slow
def test_what_the_guests_clock_counts_on_a_busy_host_does_not_prolong_a_hang(scene: Stage) -> None:
    ended = mutated(scene, "clock=50 end#1=test_hangs fail#2=one.a")
    (hung,) = [item for item in told(ended)["mutants"] if item["killer"].endswith("guest/end")]
    assert hung["seconds"] < 11
    assert "step `two` hangs: no end in" in hung["message"]


@pytest.mark.slow
def test_a_second_run_knows_all_and_boots_nothing(scene: Stage) -> None:
    first = mutated(scene, "fail#1=one.a")
    second = again(scene)
    assert fates(first) == fates(second)
    counted = [item for item in told(second)["mutants"] if item["fate"] in ("killed", "survived")]
    assert counted
    assert all(item["cached"] for item in counted)
    fresh = again(scene, "--fresh")
    assert fates(fresh) == fates(first)
    assert not any(item["cached"] for item in told(fresh)["mutants"])


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_was(scene: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = judge_cells.ask, 0

    def press_ctrl_c(*args: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            os.kill(os.getpid(), signal.SIGINT)
            args[-1].stop.wait(30)  # the main thread may take a moment to hear of it
        return real(*args)

    monkeypatch.setattr("ci.mutation.hunt.ask", press_ctrl_c)
    ended = mutated(scene, "fail#1=one.a note=interrupted", "--jobs", "1")
    assert (ended.status, told(ended)["interrupted"]) == (130, True), ended.stderr
    assert "not tried" in fates(ended)
    known = viable(ended)
    assert known == 2
    second = again(scene, "--jobs", "1")
    assert "not tried" not in fates(second)
    assert sum(item["cached"] for item in told(second)["mutants"]) == known


@pytest.mark.slow
def test_the_time_limit_leaves_the_rest_untried(scene: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = judge_cells.ask

    def slow(*args: Any) -> Any:
        monkeypatch.setattr("ci.mutation.hunt.time.monotonic", lambda: float("inf"))
        return real(*args)

    monkeypatch.setattr("ci.mutation.hunt.ask", slow)
    ended = mutated(scene, "fail#1=one.a note=limited", "--budget", "1h", "--jobs", "1")
    assert fates(ended).count("not tried") > 0, ended.stdout
    assert viable(ended) == 1


@pytest.mark.slow
def test_only_some_lines(scene: Stage) -> None:
    ended = mutated(scene, "note=only", "--only", "kernel/sched.c:3")
    assert {item["line"] for item in told(ended)["mutants"]} == {3}


@pytest.mark.slow
def test_a_fault_of_several_lines_is_found_by_its_first(scene: Stage) -> None:
    scene.patched(says("note=lines"), {"kernel/sched.c": AFTER.replace("\tif (nr", "\tnr = nr +\n\t     2;\n\tif (nr")})
    ended = again(scene, "--only", "kernel/sched.c:3")
    assert "statement" in {item["kind"] for item in told(ended)["mutants"]}
    assert {item["line"] for item in told(ended)["mutants"]} == {3}


@pytest.mark.slow
def test_a_few_are_tried_again_on_the_kernel_of_the_whole_series(scene: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real, trees = build_kernel, []

    def noted(request: Any, *further: Any) -> Any:
        trees.append(request.tree)
        return real(request, *further)

    monkeypatch.setattr("ci.mutation.kernels.build_kernel", noted)
    first = mutated(scene, "fail#1=one.a note=few")
    survivor = next(item for item in told(first)["mutants"] if item["fate"] == "survived")
    few = again(scene, "--only", f"{survivor['path']}:{survivor['line']}")
    assert len(trees) == 2 and trees[0] == trees[1]
    assert {item["line"] for item in told(few)["mutants"]} == {survivor["line"]}
    assert survivor["name"] in {item["name"] for item in told(few)["mutants"] if item["fate"] == "survived"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--only", "kernel/sched.c:99"), "the series adds no such line"),
        (("--only", "kernel/fork.c"), "the series adds no C there (it does in init/scene.c, kernel/sched.c)"),
        (("--only", "a:b:c"), "is neither FILE"),
        (("--only", "kernel/sched.c:5-3"), "the smaller number first"),
        (("--only", "1", "--only", "2"), "names one patch of the series"),
        (("--budget", "soon"), "is no time such as"),
        (("--budget", "0"), "is no time such as"),
        (("--suite", "layout"), "needs suites that run in a guest"),
    ],
)
def test_a_mistake_is_one_line(scene: Stage, words: tuple[str, ...], line: str) -> None:
    ended = mutated(scene, "note=mistake", *words)
    assert (ended.status, ended.stdout) == (2, "")
    assert line in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_without_a_series_there_is_nothing_to_change(scene: Stage) -> None:
    ended = again(scene)
    assert ended.status == 2
    assert "there is no series" in ended.stderr


@pytest.mark.slow
def test_a_kernel_that_does_not_build_is_the_series_fault(scene: Stage) -> None:
    scene.patched({"kernel/sched.c": AFTER.replace("return 5", "return nobody_knows_this")})
    ended = again(scene)
    assert ended.status == 1
    assert "nobody_knows_this" in ended.stdout
    assert "nobody_knows_this" in ended.report("junit.xml")


@pytest.mark.slow
def test_a_fault_that_the_compiler_refuses_or_does_not_see_is_not_counted(scene: Stage) -> None:
    after = AFTER.replace("return 1;", 'return sizeof("text") + 0 * nr;')
    scene.patched({"kernel/sched.c": after}, says("note=1"))
    ended = again(scene, "--only", "kernel/sched.c:5")
    assert "equivalent" in fates(ended), ended.stdout


def test_the_switch_has_a_name_of_its_own() -> None:
    assert SWITCH.startswith("rig_")
