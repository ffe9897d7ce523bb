# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest is made of besides the programs, in whole runs: modules of the target's own folder, which are built
against each kernel, and what the target's data asks for."""

from pathlib import Path

import pytest

from configs.result import Status
from kernels.sandbox.sandbox import SWITCH
from testcases.selftests import data
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


@pytest.fixture
def asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the target's data, the only one that there is."""
    (tmp_path / "targets").mkdir()
    monkeypatch.setattr(data, "TARGETS", tmp_path / "targets")
    return tmp_path / "targets/seccomp.yaml"


def test_the_data_of_a_target_chooses_the_machine_and_brings_the_kernel(stage: Stage, asks: Path) -> None:
    asks.write_text("commands: false\nmachine: q35\nkernel_image: true\n")
    stage.base(says("fail=one.a"))
    (cell,) = stage.check().run.cells
    assert cell.machine == "q35"
    (image,) = stage.folder.glob("out/console/*/initrd.cpio")
    assert b"boot/vmlinuz" in image.read_bytes()
    stage.profile["suites"] = [{"name": SUITE, "machine": "microvm"}]
    (cell,) = stage.check().run.cells
    assert cell.machine == "microvm", "the profile's word goes first"
    asks.write_text("commands: false\nmachine: of-another-architecture\n")
    stage.profile["suites"] = [SUITE]
    (cell,) = stage.check().run.cells
    assert cell.machine == "microvm"
    (image,) = stage.folder.glob("out/console/*/initrd.cpio")
    assert b"boot/vmlinuz" not in image.read_bytes()


def test_the_data_of_a_target_brings_files_of_the_tree_and_lets_processors_run_at_the_same_time(
    stage: Stage, asks: Path
) -> None:
    asks.write_text("commands: false\nparallel: true\ntree_files: {net/lib/shown: include/linux}\n")
    stage.base({HEADER: "#define EXPORTED 42\n", **says("fail=one.a")})
    stage.check()
    (console,) = stage.folder.glob("out/console/*")
    image = (console / "initrd.cpio").read_bytes()
    assert b"kselftest/net/lib/shown/exported.h" in image
    assert b"#define EXPORTED 42" in image
    assert "thread=multi" in (console / "run.sh").read_text(encoding="utf-8")
    asks.write_text("commands: false\n")
    stage.check()
    (console,) = stage.folder.glob("out/console/*")
    assert b"net/lib/shown" not in (console / "initrd.cpio").read_bytes()
    assert "thread=single" in (console / "run.sh").read_text(encoding="utf-8")
