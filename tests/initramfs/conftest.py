# SPDX-License-Identifier: GPL-2.0-only
"""A cache of their own for these tests, and the two programs that stand in for a guest's."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configs.loader import load_arch, names
from configs.model import Arch
from configs.stop import Stop
from initramfs.base import INIT, native_abi
from initramfs.toolchain import compile_static

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The developer's cache is neither used nor filled."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


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
def kernel_image() -> Callable[[str], Path]:
    """The kernel image of an architecture, by name: `$RIG_TEST_KERNEL_X86_64`, `$RIG_TEST_KERNEL_AARCH64`."""

    def kernel_image(arch: str) -> Path:
        variable = f"RIG_TEST_KERNEL_{arch.upper()}"
        if variable not in os.environ:
            pytest.skip(f"{variable} names no kernel")
        return Path(os.environ[variable])

    return kernel_image
