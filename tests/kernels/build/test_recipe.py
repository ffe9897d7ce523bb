# SPDX-License-Identifier: GPL-2.0-or-later
"""make's arguments and environment, by architecture."""

import shutil

import pytest

from configs import host
from configs.loader import load_arch
from kernels.build.make import compiler
from kernels.build.make.recipe import KernelRequest, content_key, environment
from kernels.kconfig.fragments import load_fragment, merge


def test_the_vdso_of_arm_programs_has_its_compiler() -> None:
    arch = load_arch("aarch64")
    assert environment(arch)["CROSS_COMPILE_COMPAT"] == "arm-linux-gnueabihf-"
    assert "CROSS_COMPILE_COMPAT" not in environment(load_arch("x86_64"))
    asked = merge([load_fragment("aarch64")])[("COMPAT_VDSO",)]
    assert (asked.value, asked.optional) == ("y", ""), "a kernel without it is an error and no silent loss"


def test_the_compiler_of_the_vdso_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    arch = load_arch("aarch64")
    before = compiler.identity(arch)
    version = compiler.version

    def newer(tool: str) -> str:
        return f"{version(tool)}{' (newer)' if tool == 'arm-linux-gnueabihf-gcc' else ''}"

    monkeypatch.setattr(compiler, "version", newer)
    assert compiler.identity(arch) != before
    without = arch.model_copy(update={"cross_compile_compat": ""})
    keys = {content_key(KernelRequest(one, "c", "t", (), "x"), "tools", "bwrap", "config") for one in (arch, without)}
    assert len(keys) == 2


def test_its_absence_is_said_before_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool.startswith("arm-") else f"/usr/bin/{tool}")
    lack = next(lack for lack in host.lacks(["aarch64"], ["builds"]) if lack.name.startswith("arm-"))
    assert (lack.name, "gcc-arm-linux-gnueabihf" in lack.packages) == ("arm-linux-gnueabihf-gcc", True)
