# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person would type: the tree in a folder, the configuration, and make. The measure for the rig's builds."""

import os
import subprocess
import time
from pathlib import Path

from configs.model import Arch
from kernels.build.make.compiler import prefix


def lay_out(git_dir: Path, commit: str, folder: Path) -> None:
    """The tree of a commit as plain files."""
    folder.mkdir(parents=True)
    with subprocess.Popen(["git", f"--git-dir={git_dir}", "archive", commit], stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-x", "-C", str(folder)], stdin=archive.stdout, check=True)
    if archive.returncode:
        raise RuntimeError(f"git archive {commit} ended with {archive.returncode}")


def plain_build(source: Path, output: Path, config: bytes, arch: Arch) -> float:
    """Wall seconds of `make -jN` with the configuration and the flags of the rig's own build, from what the output
    folder holds."""
    output.mkdir(parents=True, exist_ok=True)
    (output / ".config").write_bytes(config)
    make = [
        "make", "-s", "-C", str(source), f"O={output}", f"ARCH={arch.kernel_arch}", f"CROSS_COMPILE={prefix(arch)}",
        "KCFLAGS=-g1", "KAFLAGS=-g1",
    ]  # fmt: skip
    subprocess.run([*make, "olddefconfig"], check=True, stdout=subprocess.DEVNULL)
    start = time.monotonic()
    subprocess.run([*make, f"-j{os.cpu_count()}", *arch.targets], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start
