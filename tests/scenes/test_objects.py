# SPDX-License-Identifier: GPL-2.0-or-later
"""`check --each`: what compilers and sparse say of the files that each patch touches, on the kernel in miniature."""

import shutil

import pytest

from ci.model.stages import CellResult, PatchFinding
from configs.result import Status, TestResult
from tests.scenes.stage import Ended, Stage, says
from util.paths import APP

FILE = "kernel/sched.c"
QUIET = "int schedule(void);\nint schedule(void)\n{\n\treturn 7;\n}\n"
UNDECLARED = f"{QUIET}int undeclared(void)\n{{\n\treturn 1;\n}}\n"
SELF = "int schedule(void);\nint schedule(void)\n{\n\tint a = 7;\n\ta = a;\n\treturn a;\n}\n"
"""Of this assignment clang warns at -Wall, gcc does not."""
POINTER = "int *nothing(void);\nint *nothing(void)\n{\n\treturn 0;\n}\n"
ALL = ("gcc", "clang", "gcc allmodconfig", "clang allmodconfig")


@pytest.fixture
def each(stage: Stage) -> Stage:
    """A stage on which gcc looks at each patch."""
    stage.profile["compile_with"] = ["gcc"]
    stage.base({FILE: QUIET})
    return stage


def found(ended: Ended, *checks: str) -> list[PatchFinding]:
    return [item for item in ended.run.findings if item.check in checks]


def row(ended: Ended, name: str) -> TestResult:
    """The judged variant's test of one check."""
    cells: list[CellResult] = [cell for cell in ended.run.cells if cell.cell.suite == "checks"]
    (test,) = [test for cell in cells if cell.cell.variant == "patched" for test in cell.tests if test.name == name]
    return test


@pytest.mark.slow
def test_only_what_a_patch_brings_is_told_and_by_which_patch(each: Stage) -> None:
    each.base({FILE: f"int old_undeclared(void)\n{{\n\treturn 3;\n}}\n{QUIET}"})
    text = (each.tree / FILE).read_text()
    new = "int undeclared(void)\n{\n\treturn 1;\n}\n"
    each.patched(says("note=1"), {FILE: f"{new}{text}"}, {FILE: f"{new}{text}int more;\n"})
    ended = each.check("--each", "--suite", "boot")
    assert ended.status == 0, ended.stderr
    (item,) = found(ended, "compiler")
    assert (item.patch, item.path, item.line, item.kind, item.elsewhere) == (2, FILE, 1, "W=1", False)
    assert (item.text.split()[:3], item.text.split()[-1]) == (["no", "previous", "prototype"], "[-Wmissing-prototypes]")
    assert row(ended, "compiler").figures[1].value == 1


@pytest.mark.slow
def test_what_a_patch_brings_about_in_other_lines_stands_apart(each: Stage) -> None:
    helper = "static int helper(void)\n{\n\treturn 1;\n}\n"
    each.base({FILE: f"{helper}{QUIET.replace('7', 'helper()')}"})
    each.patched({FILE: f"{helper}{QUIET}"})
    (item,) = found(each.check("--each", "--suite", "boot"), "compiler")
    assert (item.line, item.elsewhere) == (1, True)
    assert str(item).endswith("in a line that the patch does not touch")


@pytest.mark.slow
def test_sparse_complains_of_what_gcc_does_not(each: Stage) -> None:
    each.patched({FILE: f"{QUIET}{POINTER}"})
    ended = each.check("--each", "--suite", "boot")
    (item,) = found(ended, "compiler", "sparse")
    assert (item.check, item.line, item.text) == ("sparse", 9, "Using plain integer as NULL pointer")
    assert row(ended, "sparse").message.startswith("sparse checks no locks here")


@pytest.mark.slow
def test_clang_and_allmodconfig_say_what_the_profile_does_not(each: Stage) -> None:
    each.profile["compile_with"] = list(ALL)
    option = "#ifdef CONFIG_SLOW\nint undeclared(void)\n{\n\treturn 1;\n}\n#endif\n"
    each.patched({FILE: SELF}, {FILE: QUIET + option})
    ended = each.check("--each", "--suite", "boot")
    assert ended.status == 0, ended.stderr
    told = [(item.patch, item.check, item.text) for item in found(ended, "compiler", "clang")]
    assert [(patch, check) for patch, check, _ in told] == [(1, "clang"), (2, "compiler"), (2, "clang")], told
    assert "-Wself-assign" in told[0][2]
    assert told[1][2].endswith("(only x86_64 allmodconfig)")


@pytest.mark.slow
def test_a_file_that_only_allmodconfig_builds_and_a_patch_that_breaks_it(each: Stage) -> None:
    each.profile["compile_with"] = ["gcc", "gcc allmodconfig"]
    rare = "obj-y := sched.o seccomp.o\nifeq ($(CONFIG_SLOW),y)\nobj-y += rare.o\nendif\n"
    each.base({"kernel/Makefile": rare, "kernel/rare.c": "int rare;\n"})
    each.patched({"kernel/rare.c": "#error it is broken\n"}, {"kernel/rare.c": "int rare;\n"})
    ended = each.check("--each", "--suite", "boot")
    (item,) = found(ended, "compiler")
    assert (ended.status, item.patch, item.level, item.kind) == (1, 1, "error", "broken")
    assert item.text == "kernel/rare.c does not compile any more: #error it is broken"
    assert row(ended, "compiler").status is Status.FAIL


@pytest.mark.slow
def test_a_header_is_shown_by_a_file_that_includes_it(each: Stage) -> None:
    each.base({"include/linux/shown.h": "int shown;\n", FILE: f"#include <linux/shown.h>\n{QUIET}"})
    each.patched({"include/linux/shown.h": "int shown;\nstatic int unused_one(void)\n{\n\treturn 1;\n}\n"})
    (item,) = found(each.check("--each", "--suite", "boot"), "compiler")
    assert (item.path, item.line) == ("include/linux/shown.h", 2)


@pytest.mark.slow
def test_what_a_patch_changes_in_a_generated_file_is_seen(each: Stage) -> None:
    crc, maker = ((each.tree / "lib" / name).read_text() for name in ("crc.c", "gentable.c"))
    more = maker.replace('\tputs("};");\n', '\tputs("};");\n\tputs("static int spare;");\n')
    each.patched({"lib/crc.c": f"{crc}int one;\n"}, {"lib/crc.c": f"{crc}int two;\n", "lib/gentable.c": more})
    ended = each.check("--each", "--suite", "boot")
    (item,) = [item for item in found(ended, "compiler") if item.path == "lib/table.h"]
    assert (item.patch, item.elsewhere, "spare" in item.text) == (2, True, True)


@pytest.mark.slow
def test_what_is_not_installed_is_skipped_with_the_command_that_mends_it(
    each: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    each.profile["compile_with"] = ["gcc", "clang"]
    real = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda tool, **more: None if tool in ("clang", "sparse") else real(tool, **more)
    )
    each.patched({FILE: UNDECLARED})
    ended = each.check("--each", "--suite", "boot")
    assert [item.check for item in found(ended, "compiler", "clang", "sparse")] == ["compiler"]
    for name in ("clang", "sparse"):
        assert row(ended, name).status is Status.SKIP
        assert f"not installed: {name}" in row(ended, name).message


@pytest.mark.slow
def test_a_compiler_that_the_kernel_refuses_is_no_finding(each: Stage) -> None:
    makefile = (each.tree / "Makefile").read_text()
    lines = ("C compiler is too old.", "  Your Clang version:    14.0.6", "  Minimum Clang version: 15.0.0")
    refuse = "; ".join(f"echo '*** {line}' >&2" for line in lines)
    recipe = f"tinyconfig:\n\t@test -z '$(LLVM)' || {{ {refuse}; exit 1; }}\n"
    each.base({"Makefile": makefile.replace("tinyconfig:\n", recipe)})
    each.profile["compile_with"] = ["clang"]
    each.patched({FILE: UNDECLARED})
    ended = each.check("--each", "--suite", "boot")
    assert (ended.status, row(ended, "clang").status) == (0, Status.SKIP)
    assert row(ended, "clang").message == "clang: Clang 14.0.6 is too old for this kernel, which wants 15.0.0"


@pytest.mark.slow
def test_a_second_run_asks_no_compiler_again_and_a_damaged_answer_is_found_out_anew(each: Stage) -> None:
    each.patched({FILE: UNDECLARED})
    first = found(each.check("--each", "--suite", "boot"), "compiler")
    objects = each.cache / APP / "checks/objects"
    folder = max((path for path in objects.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime_ns)
    log = folder / "log"
    log.unlink()
    assert found(each.check("--each", "--suite", "boot"), "compiler") == first
    assert not log.exists()
    for answer in (folder / "answers").iterdir():
        answer.write_text(answer.read_text().replace("undeclared", "overlooked"))
    assert found(each.check("--each", "--suite", "boot"), "compiler") == first
    assert log.exists()
