# SPDX-License-Identifier: GPL-2.0-or-later
"""What a selftest's guests have beside programs: disks, network cards, and modules of its own folder."""

from pathlib import Path

import pytest

from configs.model import SuiteChoice
from guests.qemu.devices import Devices
from kernels.kconfig.fragments import wants_modules
from testcases.registry import find_suite
from testcases.selftests import SELFTESTS as TARGETS
from testcases.selftests.build.modules import modules_folder
from testcases.suite import Payload
from tests.testcases.selftree import Laboratory
from util.errors import UserError


def prepare(lab: Laboratory, commit: str, name: str = "selftests/good") -> Payload:
    return find_suite(name)[0].prepare(lab.context(commit, name))


@pytest.mark.slow
def test_disks_and_network_cards(lab: Laboratory, tmp_path: Path) -> None:
    commit = lab.write({})
    assert not prepare(lab, commit).devices
    (tmp_path / "targets/good.yaml").write_text("disks: 2\nnetwork_cards: 2\ndisk: true\n")
    payload = prepare(lab, commit)
    assert payload.devices == Devices(disks=3, network_cards=2)
    assert "mkfs.ext4 -q /dev/vdc" in payload.steps[1].argv[-1], "those that it asked for stay as they are"
    fragments = find_suite("selftests/good")[0].fragments(SuiteChoice(name="selftests/good"), lab.folder)
    assert {"VIRTIO_BLK", "VIRTIO_NET"} <= {line.symbol for fragment in fragments for line in fragment.lines}
    for wrong in ("disks: 5", "network_cards: -1", "disks: many"):
        (tmp_path / "targets/good.yaml").write_text(f"{wrong}\n")
        with pytest.raises(UserError, match=r"good\.yaml:1: "):
            prepare(lab, commit)


MODULES = {
    "test_modules/Makefile": "obj-m := one.o\n",
    "test_modules/one.c": '#include "../shared.h"\n',
    "shared.h": "\n",
    "test.sh": "#!/bin/sh\n",
}


@pytest.mark.slow
def test_modules_of_its_own_are_left_to_a_kernel(lab: Laboratory) -> None:
    assert prepare(lab, lab.write({})).own_modules is None
    named = (
        "TEST_GEN_MODS_DIR := test_modules # its own\nTEST_PROGS := test.sh\n"
        "TEST_FILES := $(if $(TEST_GEN_MODS_DIR),shared.h)"
    )
    commit = lab.target("patches", MODULES, named)
    payload = prepare(lab, commit, "selftests/patches")
    own = payload.own_modules
    assert own is not None and own.place == "kselftest/patches/test_modules"
    assert "kselftest/patches/shared.h" not in [entry.path for entry in payload.files], "make was told of none"
    assert [path for path, _ in own.sources.files] == ["shared.h", "test_modules/Makefile", "test_modules/one.c"]
    assert own.sources.folder == "test_modules"
    assert [(step.name, step.argv[-1]) for step in payload.steps[1:]] == [("test.sh", "./test.sh")]
    fragments = find_suite("selftests/patches")[0].fragments(SuiteChoice(name="selftests/patches"), lab.folder)
    assert wants_modules(fragments), "else the kernel says to no module what it exports"
    other = prepare(lab, lab.write({f"{TARGETS}/patches/test_modules/one.c": "int x;\n"}), "selftests/patches")
    assert other.digest != payload.digest


@pytest.mark.parametrize(("line", "folder"), [
    ("TEST_GEN_MODS_DIR := test_modules", "test_modules"),
    ("TEST_GEN_MODS_DIR=a/b/  # why", "a/b"),
    ("\tTEST_GEN_MODS_DIR ?= page_frag\r", "page_frag"),
    ("TEST_GEN_MODS_DIR += page_pool", "page_pool"),
    ("# TEST_GEN_MODS_DIR := no", ""),
    ("TEST_GEN_MODS_DIR := $(X)", ""),
    ("TEST_GEN_MODS_DIR := ../other", ""),
    ("TEST_GEN_MODS_DIR :=", ""),
    ("MY_TEST_GEN_MODS_DIR := no", ""),
])  # fmt: skip
def test_where_a_makefile_says_that_its_modules_are(line: str, folder: str) -> None:
    assert modules_folder(f"X := y\n{line}\ninclude ../lib.mk\n") == folder
