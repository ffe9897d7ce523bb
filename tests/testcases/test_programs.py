# SPDX-License-Identifier: GPL-2.0-or-later
"""Some programs of a selftest without the others: those that a glob of test names can mean."""

from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest

from configs.result import Status
from testcases.registry import find_suite
from testcases.selftests.programs import can_answer
from testcases.suite import Payload
from tests.testcases.selftree import PROGRAM, make_laboratory


@pytest.mark.slow
def test_only_programs_that_a_glob_can_mean_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lab = make_laboratory(tmp_path)
    commit = lab.target(
        "many", {f"{n}.c": PROGRAM for n in ("one", "two", "broken")}, "TEST_GEN_PROGS := one two broken"
    )
    lab.write({"tools/testing/selftests/many/broken.c": "no C\n"})
    commit = lab.write({})
    whole = find_suite("selftests/many")[0].prepare(lab.context(commit, "selftests/many"))

    def asked(glob: str) -> Payload:
        context = replace(lab.context(commit, "selftests/many"), test=glob)
        return find_suite("selftests/many")[0].prepare(context)

    part = asked("two.*")
    assert [step.name for step in part.steps] == ["busybox", "two"]
    assert [(item.name, item.status) for item in part.settled] == [("broken", Status.ERROR), ("one", Status.SKIP)]
    assert part.settled[1].message == "left out: no result of it can answer to --test two.*"
    assert part.settled[1].file == "tools/testing/selftests/many/one.c"
    assert part.digest != whole.digest
    assert [step.name for step in asked("selftests/many/one").steps] == ["busybox", "one"]
    assert [step.name for step in asked("broken").steps] == ["busybox"]
    for glob in ("*", "*.value*", "guest/*", "nobody", "selftests/*"):
        assert asked(glob) == whole, glob


@pytest.mark.parametrize(("glob", "program", "can"), [
    ("one", "one", True), ("one.a", "one", True), ("one*", "one", True), ("o*", "one", True), ("*", "one", True),
    ("*.b", "one", True), ("on[d-f].?", "one", True), ("on[!e]*", "one", False), ("one?x", "one", True),
    ("ones", "one", False), ("one.sh", "one.sh", True), ("one.sh.x", "one", True), ("two*", "one", False),
    ("on", "one", False), ("[o]*", "one", True), ("[", "[", True), ("[.x", "[", True), ("?ne.*", "one", True),
])  # fmt: skip
def test_whether_a_result_of_a_program_can_answer_to_a_glob(glob: str, program: str, can: bool) -> None:
    assert can_answer(glob, program) is can


def test_a_program_is_never_left_out_whose_result_a_glob_names() -> None:
    """Against fnmatch itself, on every glob of four signs and every name of up to three characters."""
    names = ["".join(word) for size in range(4) for word in product("a.b", repeat=size)]
    for signs in product(("a", ".", "?", "*", "[!a]", "["), repeat=4):
        glob = "".join(signs)
        named = any(fnmatchcase(name, glob) for name in ("a", *(f"a.{name}" for name in names)))
        assert can_answer(glob, "a") or not named, glob
