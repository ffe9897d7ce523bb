# SPDX-License-Identifier: GPL-2.0-or-later
"""make's arguments and environment for a kernel build, chosen so that builds are reproducible."""

import hashlib
import json
from dataclasses import dataclass

from configs.model import Arch
from kernels.build.make import compiler
from kernels.kconfig.fragments import Fragment, merge
from kernels.sandbox.room import Room, fixed_paths

RECIPE = 2
"""Incremented with every change, in this file or elsewhere, that changes the output of a build."""

ENVIRONMENT = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "rig",
    "KBUILD_BUILD_HOST": "rig",
    "KBUILD_BUILD_VERSION": "1",
    "LOCALVERSION": "",  # set, though empty: scripts/setlocalversion then adds no `+`
    "HOME": "/tmp",
}


def environment(arch: Arch) -> dict[str, str]:
    """What the environment of make holds, for the configuration as for the build."""
    compat = {"CROSS_COMPILE_COMPAT": arch.cross_compile_compat} if arch.cross_compile_compat else {}
    return {**ENVIRONMENT, **compat}


@dataclass(frozen=True, slots=True)
class KernelRequest:
    """One kernel to build: its tree and its configuration. `label` names it in events (`x86_64 base plain`).

    `taint` says who else may have put something into the objects: builds of a series from outside carry its place,
    and their objects serve only builds with the same taint; empty is the developer's own and serves everybody.
    """

    arch: Arch
    commit: str
    tree: str
    fragments: tuple[Fragment, ...]
    label: str
    taint: str = ""


def make_command(arch: Arch, room: Room, *targets: str) -> tuple[str, ...]:
    """The make that builds `targets` in `room`. Line tables (`-g1`) cost the image nothing: it is stripped of them.

    Each target's output comes in one piece, but not in Landlock: make before 4.4 collects it in a tmpfile(3), which
    knows no place but /tmp, and dies of endless recursion where it may not write there.
    """
    sync = () if room.kind == "landlock" else ("--output-sync=target",)
    maps = "" if fixed_paths(room.kind) else f" -fdebug-prefix-map={room.src}=/src -fdebug-prefix-map={room.out}=/out"
    return (
        "make",
        *("-C", room.src, f"O={room.out}", *sync, "--no-print-directory"),
        *(
            f"ARCH={arch.kernel_arch}",
            f"CROSS_COMPILE={compiler.prefix(arch)}",
            f"KCFLAGS=-g1{maps}",
            f"KAFLAGS=-g1{maps}",
        ),
        *targets,
    )


def wanted(request: KernelRequest) -> dict[str, str]:
    """The options that were asked for, by their names, and the values."""
    return {" ".join(names): line.value for names, line in merge(request.fragments).items()}


def asked(request: KernelRequest) -> str:
    """A digest of what configuration was asked for, whatever the tree."""
    lines = sorted((names, line.value, bool(line.optional)) for names, line in merge(request.fragments).items())
    return _digest(_arch_part(request.arch), lines)


def request_key(request: KernelRequest, toolchain: str, sandbox: str) -> str:
    """The name of all that decides what the request yields, as 40 hex digits. Label and commit do not."""
    return _digest(RECIPE, request.tree, toolchain, sandbox, asked(request))


def content_key(request: KernelRequest, toolchain: str, sandbox: str, config: str) -> str:
    """The name of the build itself: by its final configuration, however it was asked for."""
    return _digest(RECIPE, request.tree, _arch_part(request.arch), toolchain, sandbox, config)


def _arch_part(arch: Arch) -> list[object]:
    compat = [arch.cross_compile_compat] if arch.cross_compile_compat else []
    return [arch.name, arch.kernel_arch, compiler.prefix(arch), arch.targets, arch.outputs, *compat]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]
