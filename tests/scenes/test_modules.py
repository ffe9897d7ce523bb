# SPDX-License-Identifier: GPL-2.0-or-later
"""Selftests with modules of their own, in whole runs: they are built against each kernel, and stand in its guest."""

import pytest

from configs.result import Status
from kernels.sandbox.sandbox import SWITCH
from tests.scenes.stage import FOLDER, SUITE, Stage, says

pytestmark = pytest.mark.slow

HEADER = "include/linux/exported.h"
MODULES = {
    f"{FOLDER}/Makefile": "TEST_GEN_PROGS := one two\nTEST_GEN_MODS_DIR := test_modules\ninclude ../lib.mk\n",
    f"{FOLDER}/test_modules/Makefile": "obj-m := hook.o\n",
    f"{FOLDER}/test_modules/hook.c": "#include <linux/exported.h>\nint hook = EXPORTED;\n",
    HEADER: "#define EXPORTED 1\n",
}


def test_the_guest_of_each_kernel_has_the_modules_that_were_built_against_it(stage: Stage) -> None:
    stage.base(MODULES)
    stage.patched({HEADER: "#define EXPORTED 2\n", **says("fail=one.a")})
    ended = stage.check()
    assert ended.status == 1, ended.stderr
    (image,) = ended.folder.glob("console/patched-*-selftests-seccomp/initrd.cpio")
    assert b"kselftest/seccomp/test_modules/hook.ko" in image.read_bytes()
    again = stage.check("--fresh")
    assert again.status == 1, "the modules come from the cache"


def test_modules_that_do_not_build_on_a_kernel_are_an_error_of_the_test(stage: Stage) -> None:
    stage.base(MODULES)
    stage.patched({HEADER: "#define EXPORTED_ANEW 1\n"})
    ended = stage.check()
    (error,) = [test for cell in ended.run.cells for test in cell.tests if test.status is Status.ERROR]
    assert error.name == SUITE
    assert "its modules do not build on the kernel: test_modules/hook.c:2:" in error.message
    assert "EXPORTED" in error.message
    base = next(cell for cell in ended.run.cells if cell.cell.variant == "base")
    assert {test.status for test in base.tests} == {Status.PASS}


def test_where_builds_keep_no_objects_the_answer_is_missing(stage: Stage) -> None:
    stage.variables[SWITCH] = "none"
    stage.base(MODULES)
    ended = stage.check()
    assert ended.status == 3
    (cell,) = ended.run.cells
    assert cell.not_run == "its modules need the objects of the kernel, which only builds in bubblewrap keep"
    assert cell.tests == ()
