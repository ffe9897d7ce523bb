# SPDX-License-Identifier: GPL-2.0-or-later
"""The image of a guest: one cached archive per architecture, followed by one archive per job.

The kernel unpacks archives in the order in which they stand; what comes later replaces what came before.
"""

import hashlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from configs.model import Abi, Arch
from initramfs import job as jobs
from initramfs.abi_header import abi_flags
from initramfs.busybox import busybox
from initramfs.cpio import Entry, archive, directory, file, node, program, symlink
from initramfs.job import GuestJob
from initramfs.toolchain import CompileError, compile_static
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.files.cached import cached_file
from util.paths import cache
from util.stop import Stop

INIT = Path(__file__).parent / "init"
NOTHING = Path(__file__).parent / "nothing.c"
FLAGS = ("-std=gnu11", "-Os", "-g0", "-s", "-Wall", "-Wextra", "-Werror", "-ffunction-sections", "-Wl,--gc-sections")
_MODES = {"root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777}
"""Directories that are not 0755. The job's archive repeats them: the kernel sets the mode of a directory anew."""
_PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
nobody:x:65534:65534:nobody:/:/bin/false
"""
_GROUP = b"root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\ntty:x:5:\ndisk:x:6:\nusers:x:100:\nnogroup:x:65534:\n"
"""The numbers are Debian's (base-passwd)."""
_COVERED = frozenset(("dev", "proc", "run", "sys", "tmp"))
"""Init mounts over these, so a file below them would never be seen."""


def base_image(arch: Arch, emit: Listener, stop: Stop, *, shell: bool = False) -> Path:
    """The archive that every guest of the architecture starts with, made once: init, directories, device nodes, and
    with `shell` a busybox. Raises MachineError (toolchain or busybox missing), Stopped."""
    entries = [*layout(), program("init", compile_init(arch, emit, stop).read_bytes())]
    if shell:
        entries.append(program("bin/busybox", busybox(arch, emit, stop).read_bytes()))
    data = archive(entries)
    name = f"{arch.name}-{hashlib.sha256(data).hexdigest()[:32]}.cpio"
    return cached_file(cache("initramfs", "images") / name, data, stop, emit, f"image {arch.name}")


def job_image(job: GuestJob, files: Iterable[Entry] = ()) -> bytes:
    """The archive of one job: its files and `/rig/job`. Raises UserError for a file that the guest could not see."""
    files = tuple(files)
    for entry in files:
        path = entry.path.lstrip("/")
        if path.partition("/")[0] in _COVERED or f"{path}/".startswith("var/run/"):
            raise UserError(f"initramfs: `{entry.path}`: the guest mounts over this folder; choose another, like /opt")
    made = [entry for entry in _special_parents(files) if entry.path not in {item.path.strip("/") for item in files}]
    return archive([*files, *made, Entry(jobs.PATH, stat.S_IFREG | 0o600, jobs.encode(job))])


def files_image(files: Mapping[str, bytes], emit: Listener, stop: Stop) -> Path:
    """The archive of what a build made for its guests, contents by path in the guest, made once. Raises Stopped."""
    data = archive(file(path, content) for path, content in files.items())
    name = f"files-{hashlib.sha256(data).hexdigest()[:32]}.cpio"
    return cached_file(cache("initramfs", "images") / name, data, stop, emit, "image files")


def layout() -> list[Entry]:
    """Directories, and the device nodes that the kernel and init need before devtmpfs is there."""
    names = (
        *(
            "bin",
            "dev",
            "etc",
            "home",
            "media",
            "mnt",
            "opt",
            "proc",
            "rig",
            "root",
            "run",
            "sbin",
            "srv",
            "sys",
            "tmp",
        ),
        *("usr/bin", "usr/sbin", "var/lib", "var/log", "var/tmp"),
    )
    return [
        *(directory(name, _MODES.get(name, 0o755)) for name in names),
        symlink("var/run", "/run"),  # network namespaces are written below one and looked for below the other
        node("dev/console", 5, 1),
        node("dev/null", 1, 3, 0o666),
        file("etc/passwd", _PASSWD),
        file("etc/group", _GROUP),
        file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files\nprotocols: files\nservices: files\n"),
        file("etc/hosts", b"127.0.0.1 localhost rig\n::1 localhost\n"),
    ]


def _special_parents(files: Iterable[Entry]) -> list[Entry]:
    tops = sorted({entry.path.lstrip("/").partition("/")[0] for entry in files})
    return [directory(top, _MODES[top]) for top in tops if top in _MODES]


def compile_init(arch: Arch, emit: Listener, stop: Stop) -> Path:
    """The init program of the architecture. Raises MachineError, Stopped."""
    step = f"init {arch.name}"
    emit(Event(step, Phase.START))
    try:
        path = compile_static(
            native_abi(arch).toolchain, sorted(INIT.glob("*.c")), "init", flags=FLAGS, stop=stop, emit=emit
        )
    except CompileError as error:
        emit(Event(step, Phase.FAILED, error.first_line, command=error.command))
        raise MachineError(f"init does not compile for {arch.name}: {error.first_line}") from None
    emit(Event(step, Phase.DONE, str(path)))
    return path


def compile_nothing(arch: Arch, stop: Stop) -> Path:
    """The program that ends at once (`nothing.c`). Raises MachineError, Stopped."""
    try:
        flags = ("-nostdlib", "-s", *abi_flags(arch, native_abi(arch), stop))
        return compile_static(native_abi(arch).toolchain, [NOTHING], "nothing", flags=flags, stop=stop)
    except CompileError as error:
        raise MachineError(f"{NOTHING.name} does not compile for {arch.name}: {error.first_line}") from None


def native_abi(arch: Arch) -> Abi:
    """A kernel runs programs of it in any configuration."""
    return arch.native_abi
