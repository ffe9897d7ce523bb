# SPDX-License-Identifier: GPL-2.0-or-later
"""With what single objects are compiled for the checks: gcc or clang, in the profile's configuration or another."""

import hashlib
import json
import shutil
from dataclasses import dataclass

from configs.host import lacks, mend_command
from configs.model import Arch
from kernels.build.make import compiler
from kernels.kconfig.fragments import Fragment, merge, request_text
from kernels.sandbox.room import PATH, Room

SPARSE = "sparse"
CLANG_TOOLS = ("clang", "ld.lld", "llvm-ar")
"""Of each package that `LLVM=1` needs one program (Documentation/kbuild/llvm.rst)."""
GCC, CLANG = "gcc", "clang"
ALLMOD = "allmodconfig"


@dataclass(frozen=True, slots=True)
class Setting:
    """One compiler and one configuration: `gcc`, `clang`, `gcc allmodconfig` or `clang allmodconfig`."""

    compiler: str
    allmod: bool

    def __str__(self) -> str:
        return f"{self.compiler} {ALLMOD}" if self.allmod else self.compiler

    @property
    def missing(self) -> str:
        """Why it cannot be used on this machine, with what mends it; empty where it can."""
        return missing(*CLANG_TOOLS) if self.compiler == CLANG else ""

    @property
    def with_sparse(self) -> bool:
        """Sparse runs beside gcc, whose options it gets from kbuild."""
        return self.compiler == GCC and not missing(SPARSE)


SETTINGS = {str(setting): setting for setting in (Setting(c, a) for c in (GCC, CLANG) for a in (False, True))}
"""By the names that a profile's `compile_with` uses."""


def missing(*tools: str) -> str:
    """One line where one of these programs is not installed; empty where all are."""
    absent = [tool for tool in tools if shutil.which(tool, path=PATH) is None]
    if not absent:
        return ""
    packages = [lack for lack in lacks((), ("checks",)) if lack.name in absent]
    return f"not installed: {', '.join(absent)}; mend it with: {' '.join(mend_command(packages))}"


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """The objects of one architecture in one setting. `fragments` are the configuration of the profile, which
    allmodconfig does not look at. `taint` as in `kernels.build.make.recipe.KernelRequest`."""

    arch: Arch
    setting: Setting
    fragments: tuple[Fragment, ...]
    taint: str = ""

    @property
    def label(self) -> str:
        return f"{self.arch.name} {self.setting}"

    @property
    def config(self) -> str:
        """What the profile asks of the configuration, as lines of a `.config`; nothing of allmodconfig."""
        return "" if self.setting.allmod else request_text(merge(self.fragments))

    @property
    def key(self) -> str:
        """The name of everything but the tree that decides what is said, as 40 hex digits."""
        tools = [compiler.identity(self.arch)]
        tools += [compiler.version(tool) for tool in CLANG_TOOLS] if self.setting.compiler == CLANG else []
        tools += [compiler.version(SPARSE)] if self.setting.with_sparse else []
        parts = [self.arch.name, str(self.setting), self.config, self.taint, tools]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]

    def make(self, room: Room, *targets: str) -> tuple[str, ...]:
        """kbuild's arguments. A warning is to be said and not to end the compilation, which allmodconfig asks for from
        5.15 on; and `W=1` would run the tree's kernel-doc as well, which is a check of its own."""
        arch, setting = self.arch, self.setting
        return (
            *("make", "-C", room.src, f"O={room.out}", "--no-print-directory", "--output-sync=target", "--keep-going"),
            *(f"ARCH={arch.kernel_arch}", f"CROSS_COMPILE={compiler.prefix(arch)}"),
            *(("LLVM=1",) if setting.compiler == CLANG else ()),
            *("KCFLAGS=-g1 -Wno-error", "KAFLAGS=-g1", "W=1", "cmd_checkdoc="),
            *(("C=1", f"CHECK={SPARSE}") if setting.with_sparse else ()),
            *targets,
        )
