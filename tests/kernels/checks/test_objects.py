# SPDX-License-Identifier: GPL-2.0-or-later
"""Single objects: what a log of make says of each file, and what of it is new. Whole runs are in tests/scenes."""

from collections.abc import Mapping

import pytest

from kernels.build.diagnostics import BuildWarning
from kernels.checks.check import Level, StaticCheckResult
from kernels.checks.objects import compare
from kernels.checks.objects.compare import BY_CLANG, BY_SPARSE, COMPILER, Spot, compared
from kernels.checks.objects.said import FileMessages, read_log, too_old
from kernels.checks.objects.setting import SETTINGS
from kernels.patches.patch import Patch

LOG = """\
  CC      scripts/mod/empty.o
  CHECK   /src/kernel/fork.c
/src/kernel/fork.c:12:9: warning: incorrect type in assignment (different address spaces)
/src/kernel/fork.c:12:9:    expected int *p
/src/kernel/fork.c:12:9:    got int [noderef] __user *
/src/include/linux/rcu.h:4:2: error: too many errors
  CC [M]  kernel/fork.o
/src/kernel/fork.c: In function 'copy':
/src/kernel/fork.c:12:5: warning: unused variable 'x' [-Wunused-variable]
   12 |     int x;
/src/kernel/fork.c:20: warning: Function parameter 'a' not described in 'copy'
  CC      kernel/exit.o
/src/kernel/exit.c:7:3: error: 'gone' undeclared (first use in this function)
make[3]: *** [/src/scripts/Makefile.build:280: kernel/exit.o] Error 1
make[3]: *** No rule to make target 'drivers/none.o'.
""".splitlines()
PATCH = Patch(1, "a patch", "", "", "", b"", ())
X = BuildWarning("kernel/fork.c", 12, "unused variable 'x'", "-Wunused-variable")


def test_a_log_is_read_file_by_file() -> None:
    said = read_log(LOG, ("kernel/fork.c", "kernel/exit.c", "drivers/none.c"), ("kernel/fork.o",), True)
    assert said["kernel/fork.c"].warnings == (X,)
    assert [(item.file, item.line, item.text) for item in said["kernel/fork.c"].sparse] == [
        ("kernel/fork.c", 12, "incorrect type in assignment (different address spaces); expected int *p; "
            "got int [noderef] __user *"),
        ("include/linux/rcu.h", 4, "too many errors"),
    ]  # fmt: skip
    assert said["kernel/exit.c"].failure == "kernel/exit.c:7:3: 'gone' undeclared (first use in this function)"
    assert (said["drivers/none.c"].built, said["drivers/none.c"].failure) == (False, "")


def test_where_nothing_could_be_made_the_first_error_is_that_of_every_file() -> None:
    log = ["/src/include/linux/types.h:3:1: error: unknown type name 'u33'", "make: *** [prepare0] Error 2"]
    said = read_log(log, ("kernel/fork.c",), (), False)
    assert said["kernel/fork.c"].failure == "include/linux/types.h:3:1: unknown type name 'u33'"
    assert read_log([], ("a.c",), (), False)["a.c"].failure == "make left no object and said nothing"


def test_a_file_of_another_architecture_is_not_broken_by_what_breaks_beside_it() -> None:
    """Of a folder that it does not enter kbuild says nothing at all."""
    said = read_log(LOG, ("arch/arm64/mm/fault.c", "kernel/exit.c"), (), True)
    assert said["arch/arm64/mm/fault.c"] == FileMessages(built=False)
    assert said["kernel/exit.c"].failure


def test_a_compiler_that_is_too_old() -> None:
    lines = ("***", "*** C compiler is too old.", "***   Your Clang version:    14.0.6",
             "***   Minimum Clang version: 17.0.1", "***")  # fmt: skip
    assert too_old(lines) == "Clang 14.0.6 is too old for this kernel, which wants 17.0.1"
    assert too_old(("*** Error 2",)) == ""


def spot(
    before: Mapping[str, FileMessages], after: Mapping[str, FileMessages], setting: str = "gcc", arch: str = "x86_64"
) -> Spot:
    return Spot(arch, SETTINGS[setting], before, after)


def told(*spots: Spot, added: Mapping[str, Mapping[int, str]] | None = None) -> dict[str, StaticCheckResult]:
    return {item.check.name: item for item in compared(PATCH, spots, added or {"kernel/fork.c": {12: "int x;"}})}


def said(*warnings: BuildWarning, sparse: tuple[BuildWarning, ...] = ()) -> dict[str, FileMessages]:
    return {"kernel/fork.c": FileMessages(warnings, sparse)}


def test_a_warning_that_moved_is_not_new_and_a_second_one_is() -> None:
    moved = BuildWarning("kernel/fork.c", 40, X.text, X.option)
    assert told(spot(said(X), said(moved)))["compiler"].findings == ()
    (finding,) = told(spot(said(X), said(X, moved)))["compiler"].findings
    assert (finding.line, finding.elsewhere) == (40, True)


def test_a_header_that_the_patch_does_not_touch_may_say_it_more_often() -> None:
    header = BuildWarning("include/linux/rcu.h", 9, "context imbalance")
    assert told(spot(said(sparse=(header,)), said(sparse=(header, header))))["sparse"].findings == ()
    (finding,) = told(spot(said(), said(sparse=(header, header))))["sparse"].findings
    assert finding.elsewhere


def test_who_says_it_is_named_unless_all_do() -> None:
    both = told(spot(said(), said(X)), spot(said(), said(X), "gcc allmodconfig"), spot(said(), said(), "clang"))
    assert [item.text for item in both["compiler"].findings] == [f"{X.text} [{X.option}]"]
    assert both["clang"].findings == ()
    one = told(spot(said(), said()), spot(said(), said(X), "gcc allmodconfig", "aarch64"))
    assert one["compiler"].findings[0].text.endswith(" (only aarch64 allmodconfig)")
    unbuilt = {"kernel/fork.c": FileMessages(built=False)}
    alone = told(spot(unbuilt, unbuilt), spot(said(), said(X), "gcc allmodconfig"))
    assert alone["compiler"].findings[0].text == f"{X.text} [{X.option}]"


def test_what_does_not_compile_any_more_is_an_error_and_what_never_did_is_not() -> None:
    broken = {"kernel/fork.c": FileMessages(failure="kernel/fork.c:3:1: no such type")}
    (finding,) = told(spot(said(), broken))["compiler"].findings
    assert (finding.level, finding.line) == (Level.ERROR, 3)
    assert finding.text == "kernel/fork.c does not compile any more: no such type"
    assert told(spot(said(), broken))["sparse"].findings == ()
    assert told(spot(broken, broken))["compiler"].findings == ()
    assert told(spot(broken, said(X)))["compiler"].findings == ()
    (new,) = told(spot({}, {"kernel/fork.c": FileMessages(failure="the linker failed")}))["compiler"].findings
    assert (new.path, new.line, new.text) == ("kernel/fork.c", 0, "kernel/fork.c does not compile: the linker failed")


def test_a_file_that_the_configuration_may_leave_out_is_not_broken_where_allmodconfig_compiles_it() -> None:
    """As security/lockdown/lockdown.c without CONFIG_SECURITY_LOCKDOWN_LSM, once a header has a stub in its place."""
    stub = {"kernel/fork.c": FileMessages(failure="kernel/fork.c:3:1: redefinition of 'copy'")}
    (noted,) = told(spot(said(), stub), spot(said(), said(), "gcc allmodconfig"))["compiler"].findings
    assert (noted.level, noted.line) == (Level.NOTE, 3)
    assert "it does under allmodconfig, so that this configuration may not choose it" in noted.text
    for beside in (
        spot(said(), stub, "gcc allmodconfig"),
        spot(said(), said(), "gcc allmodconfig", "aarch64"),
        spot(said(), said(), "clang allmodconfig"),
        spot(
            {"kernel/fork.c": FileMessages(built=False)},
            {"kernel/fork.c": FileMessages(built=False)},
            "gcc allmodconfig",
        ),
    ):
        assert Level.ERROR in {item.level for item in told(spot(said(), stub), beside)["compiler"].findings}


def test_a_place_without_an_answer_is_a_remark_beside_others_and_a_skip_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Spot("x86_64", SETTINGS["clang"], {}, {}, "clang 9 is too old")
    assert told(problem)["clang"].skipped == "clang 9 is too old"
    beside = told(problem, spot(said(), said(X), "clang allmodconfig"))["clang"]
    assert (beside.skipped, beside.remark, len(beside.findings)) == ("", "clang 9 is too old", 1)
    assert not told(problem)["compiler"].applied
    gave_up = BuildWarning("kernel/fork.c", 1, "too many errors")
    both = said(sparse=(gave_up,))
    assert told(spot(both, both))["sparse"].remark == "sparse gave up before the end of kernel/fork.c"
    monkeypatch.setattr(compare, "missing", lambda *_tools: "not installed: sparse")
    assert told(spot(said(), said()))["sparse"].skipped == "not installed: sparse"
    assert [check.name for check in (COMPILER, BY_CLANG, BY_SPARSE)] == ["compiler", "clang", "sparse"]
