# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots an image with a plain QEMU, for the tests of what stands in it. Everything finer is the task of guests/."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.model import Arch
from initramfs.base import base_image, job_image
from initramfs.cpio import Entry
from initramfs.job import GuestJob
from util.events import silent
from util.stop import Stop

LIMIT = 400.0
"""Seconds for one guest under TCG. An idle machine needs two; one with ten times too much to do needs a hundred."""


@dataclass(frozen=True, slots=True)
class Boot:
    """`records` is the raw stream of the result channel."""

    records: bytes
    console: str
    seconds: float


def initrd(arch: Arch, job: GuestJob, files: Sequence[Entry] = (), *, shell: bool = False) -> bytes:
    """The base archive and the job's, as the rig puts them together."""
    return base_image(arch, silent, Stop(), shell=shell).read_bytes() + job_image(job, files)


def command(arch: Arch, machine_name: str, kernel: Path, folder: Path, *, port: str = "rig.results") -> list[str]:
    """QEMU with `folder/initrd`, writing `folder/console` and `folder/records`."""
    machine = arch.machines[machine_name]
    words = [arch.qemu, *machine.args, "-accel", "tcg", "-cpu", arch.cpu["tcg"], "-m", "256", "-smp", "1"]
    words += ["-no-user-config", "-nodefaults", "-no-reboot", "-display", "none"]
    words += ["-kernel", str(kernel), "-initrd", str(folder / "initrd")]
    words += ["-append", " ".join((*machine.append, "panic=-1", "reboot=t"))]
    words += ["-device", machine.serial_device, "-chardev", f"file,id=results,path={folder / 'records'}"]
    return [*words, "-device", f"virtserialport,chardev=results,name={port}"]


def boot(argv: Sequence[str], folder: Path, image: bytes, keep: Sequence[int] = ()) -> Boot:
    """Run the guest to its end. An end that does not come is a TimeoutExpired. QEMU gets the descriptors `keep`."""
    (folder / "initrd").write_bytes(image)
    console = ("-serial", f"file:{folder / 'console'}")
    start = time.monotonic()
    done = subprocess.run([*argv, *console], capture_output=True, timeout=LIMIT, check=False, pass_fds=keep)
    seconds = time.monotonic() - start
    complaints = [
        line for line in done.stderr.splitlines() if b"icount sleep disabled and no active timers" not in line
    ]
    assert (done.returncode, done.stdout, complaints) == (0, b"", [])
    return Boot((folder / "records").read_bytes(), (folder / "console").read_text(errors="replace"), seconds)
