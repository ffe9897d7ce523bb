# SPDX-License-Identifier: GPL-2.0-or-later
"""What a target is built with beside its tests: helpers, headers from the tree's root, ARCH, libraries of Debian."""

from pathlib import Path

import pytest

from configs.loader import load_arch
from configs.result import Status
from testcases.selftests.build import libraries
from testcases.selftests.build.inputs import find_inputs
from testcases.selftests.build.libraries import Recipe, build_libraries
from tests.faketree import Events
from tests.initramfs.test_debian import offer
from tests.kernels.source.test_source_debian import Archive, archive, key
from tests.testcases.selftree import PROGRAM, Laboratory
from tests.testcases.test_selftests import prepare
from util.errors import MachineError
from util.stop import Stop

__all__ = ["archive", "key"]

pytestmark = pytest.mark.slow

BROKEN = "int main(void) { return nothing; }\n"
SCRIPT = {"run.sh": "#!/bin/sh\n./helper\n"}


@pytest.mark.parametrize("variable", ["TEST_GEN_FILES", "TEST_GEN_PROGS_EXTENDED"])
def test_a_helper_that_does_not_compile_is_an_error_of_its_own(lab: Laboratory, variable: str) -> None:
    rule = f"TEST_PROGS := run.sh\n{variable} := $(OUTPUT)/helper" if "PROGS" in variable else ""
    rule = rule or f"TEST_PROGS := run.sh\n{variable} := helper"
    commit = lab.target("helped", {**SCRIPT, "helper.c": BROKEN}, rule)
    payload = prepare(lab, commit, "selftests/helped")
    assert [step.name for step in payload.steps][1:] == ["run.sh"]
    (result,) = payload.settled
    assert (result.name, result.status) == ("helper", Status.ERROR)
    assert "tests may call it" in result.message and "nothing" in result.message
    assert result.file == "tools/testing/selftests/helped/helper.c"


def test_a_helper_that_compiles_is_no_result(lab: Laboratory) -> None:
    rule = "TEST_PROGS := run.sh\nTEST_GEN_FILES := helper"
    payload = prepare(lab, lab.target("helped", {**SCRIPT, "helper.c": PROGRAM}, rule), "selftests/helped")
    assert payload.settled == ()


def test_a_helper_may_be_left_out_with_a_reason(lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "targets/helped.yaml").write_text("left_out: {helper: {reason: wants a library}}\n")
    rule = "TEST_PROGS := run.sh\nTEST_GEN_FILES := helper"
    payload = prepare(lab, lab.target("helped", {**SCRIPT, "helper.c": BROKEN}, rule), "selftests/helped")
    assert [(one.status, one.message) for one in payload.settled] == [(Status.SKIP, "wants a library")]


@pytest.mark.parametrize(("flag", "found"), [("-I $(top_srcdir)", True), ("-I$(top_srcdir)/tools", False)])
def test_headers_named_from_the_trees_root_are_there(lab: Laboratory, flag: str, found: bool) -> None:
    lab.write({"lib/test_it.h": "#define IT 1\n"})
    program = '#include "lib/test_it.h"\n' + PROGRAM
    commit = lab.target(
        "rooted", {"one.c": program}, f"top_srcdir = ../../../..\nCFLAGS += {flag}\nTEST_GEN_PROGS := one"
    )
    assert ("lib/test_it.h" in dict(find_inputs(lab.store, commit, "rooted").objects)) is found
    assert (prepare(lab, commit, "selftests/rooted").settled == ()) is found


def test_a_target_may_call_an_architecture_otherwise(lab: Laboratory, tmp_path: Path) -> None:
    commit = lab.target("named", {"one.c": PROGRAM}, "TEST_GEN_PROGS := $(if $(filter x86_64,$(ARCH)),one,two)")
    assert [one.name for one in prepare(lab, commit, "selftests/named").settled] == ["two"]
    (tmp_path / "targets/named.yaml").write_text("arch_names: {x86: x86_64}\n")
    payload = prepare(lab, commit, "selftests/named")
    assert [step.name for step in payload.steps][1:] == ["one"] and payload.settled == ()


def test_a_program_may_define_what_the_c_library_has_as_well(lab: Laboratory) -> None:
    own = PROGRAM.replace("int main", "int getpid(void) { return 1; }\nint fork(void);\nint main").replace(
        "return 0", "return fork() == getpid()"
    )
    payload = prepare(lab, lab.target("twice", {"one.c": own}, "TEST_GEN_PROGS := one"), "selftests/twice")
    assert [one.message for one in payload.settled] == []


def recipe(monkeypatch: pytest.MonkeyPatch, install: dict[str, str]) -> None:
    monkeypatch.setattr(libraries, "recipes", lambda: {"it": Recipe(packages=("some-tool",), install=install)})


def build(debian_arch: str) -> tuple[Path, ...]:
    toolchain = load_arch("x86_64").abis["x86_64"].toolchain
    return build_libraries(["it", "m"], toolchain, debian_arch, Events(), Stop())[0]


def test_a_library_may_come_out_of_a_package(archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    offer(archive, "1.0", **{"usr__lib__any__libit.a": "code", "usr__include__it__it.h": "header"})
    recipe(monkeypatch, {"usr/lib/*/libit.a": "lib/libit.a", "usr/include/it": "include/it"})
    (folder,) = build("amd64")
    assert (folder / "lib/libit.a").read_text() == "code" and (folder / "include/it/it.h").read_text() == "header"
    assert build("amd64") == (folder,)
    assert build("") == ()
    monkeypatch.setattr(libraries, "recipes", lambda: {"it": Recipe(packages=("no-tool | some-tool",), install={})})
    assert len(build("amd64")) == 1
    recipe(monkeypatch, {"usr/lib/*/libother.a": "lib/libit.a"})
    with pytest.raises(MachineError, match=r"some-tool of amd64: 0 files match usr/lib/\*/libother.a"):
        build("amd64")


@pytest.mark.parametrize("given", [{}, {"source": "a", "packages": ("b",)}])
def test_a_library_comes_from_one_place(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="either `source` or `packages`"):
        Recipe.model_validate({**given, "install": {}})
