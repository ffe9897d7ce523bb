# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that stand in for a guest's, and kernels to boot."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.loader import load_arch
from configs.model import Arch
from configs.names import names
from initramfs.base import INIT, native_abi
from initramfs.toolchain import compile_static
from util.stop import Stop

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def host_arch() -> Arch:
    """The architecture of this machine."""
    archs = [load_arch(name) for name in names("archs")]
    return next(arch for arch in archs if arch.native_machine == os.uname().machine)


def odd_program(arch: Arch) -> Path:
    """The program `odd`, for the architecture's own ABI."""
    return compile_static(native_abi(arch).toolchain, [HERE / "odd.c"], "odd", stop=Stop())


@pytest.fixture(scope="session")
def odd(host_arch: Arch) -> Path:
    return odd_program(host_arch)


def runner_program(arch: Arch, *extra: Path, flags: tuple[str, ...] = ()) -> Path:
    """Init's own step runner in a program for the host."""
    parts = [INIT / f"{name}.c" for name in ("clean", "job", "output", "records", "steps", "system")]
    checks = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover")
    sources = [HERE / "runner.c", *extra, *parts]
    return compile_static(native_abi(arch).toolchain, sources, "runner", flags=(*checks, *flags), stop=Stop())


@pytest.fixture(scope="session")
def runner(host_arch: Arch) -> Path:
    return runner_program(host_arch)


@pytest.fixture(scope="session")
def kernel_image(built_kernel: Callable[[str], Path]) -> Callable[[str], Path]:
    """The kernel image of an architecture, by name: `$RIG_TEST_KERNEL_X86_64` and the like, else a build's."""

    def kernel_image(arch: str) -> Path:
        given = os.environ.get(f"RIG_TEST_KERNEL_{arch.upper()}")
        return Path(given) if given else built_kernel(arch) / "image"

    return kernel_image
