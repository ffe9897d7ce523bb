# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rig has to know about a selftest beyond what its own Makefile says: `targets/<target>.yaml`, often absent.

Kconfig lines that a target needs and does not name stand in `targets/<target>.config`, as a fragment.
"""

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import Field

from configs.loader import load
from configs.model import Strict

TARGETS = Path(__file__).parent / "targets"
MENUS = Path(__file__).parent / "menus.yaml"


class LeftOut(Strict):
    """A program that is not run, and why. `abis` empty: under none of them. `built` is false of one that the variables
    of `make` leave out of the build already: it is told all the same."""

    reason: str
    abis: tuple[str, ...] = ()
    built: bool = True


class ConfigWhen(Strict):
    """Kconfig lines for those trees in which the target's folder holds the text `mentions`: a new test of a new kernel
    must not make every older kernel larger."""

    mentions: str
    lines: tuple[str, ...]


class Target(Strict):
    """`left_out` goes by program name or glob, `arguments` and `timeouts` (seconds) by program name. `cflags` come
    behind the target's own; `inputs` are paths of the tree that the build reads and the scan for references does not
    find."""

    left_out: dict[str, LeftOut] = Field(default_factory=dict)
    arguments: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    timeouts: dict[str, int] = Field(default_factory=dict)
    programs: tuple[str, ...] = ()
    """Tests that the target builds and does not name among those to run."""
    make: dict[str, str] = Field(default_factory=dict)
    """Variables of make that the target's Makefile needs otherwise than the others."""
    arch_names: dict[str, str] = Field(default_factory=dict)
    """What its Makefile calls an architecture where it asks for ARCH, by make's own name."""
    dynamic: bool = False
    """Its programs want shared libraries or to be loaded as they stand: they are linked as the Makefile says, and the
    guest gets the C library, where the ABI has packages."""
    guest_packages: tuple[str, ...] = ()
    """Debian packages that the guest gets beside those that the scripts show to be needed (`guest_tools.yaml`)."""
    modules: tuple[str, ...] = ()
    """Globs of kconfig symbols: what the target's `config` asks for as a module (`=m`) stays one. The guest has it."""
    memory_mb: int = 0
    """Memory of its guests where the profile's would not do."""
    smp: int = 0
    guests: int = Field(default=1, ge=1)
    """How many guests its programs are shared out over, for a target that takes long in one."""
    parallel: bool = False
    """The processors of its guests run at the same time where TCG would run them in turn."""
    disk: bool = False
    """Its programs stand on ext4 (`testcases.selftests.guest.hardware`), for memory file systems behave otherwise."""
    disks: int = Field(default=0, ge=0, le=4)
    """Empty virtio disks that its guests have, `/dev/vda` and so on, each of `guests.qemu.devices.DISK_MB`."""
    network_cards: int = Field(default=0, ge=0, le=2)
    """Virtio network cards of its guests, joined with each other and with nothing else."""
    machine: str = ""
    """The machine of its guests (configs/archs) on an architecture that has it, where the profile names none."""
    kernel_image: bool = False
    """Its guests have the kernel they run as `/boot/vmlinuz`, in the form that a boot loader takes."""
    expects_faults: bool = False
    """Its programs provoke oopses and warnings and look for them in the kernel's log themselves: one that comes while a
    program runs, and that the kernel outlives, is no fault of the guest."""
    setup: tuple[str, ...] = ()
    """Shell commands that run in the guest before the first program, with the reason as a comment in the file."""
    before_each: tuple[str, ...] = ()
    """Shell commands that run before each program, in its own step: what they start in the background is there while
    the program runs, and is ended with it. One that fails ends the step with its status."""
    config: tuple[str, ...] = ()
    """Kconfig lines for what its tests take for granted and its own `config` does not name. Like those they are wishes:
    a version or an architecture may lack an option."""
    config_when: tuple[ConfigWhen, ...] = ()
    cflags: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Files and folders below the selftests of the tree that its scripts take from there, and that its `install` does
    not bring: they stand in the guest as they are."""
    tree_files: dict[str, str] = Field(default_factory=dict)
    """Further files and folders of the tree, by where they stand in the guest, below the selftests: what a tree of
    installed tests has from the `install` of another target."""
    commands: bool = True
    """Whether its programs start others that a common system has, so that the image needs busybox."""
    line_buffer: bool = True
    """Off for programs without a C library."""


class Menu(Strict):
    """Kconfig lines for the targets that one of these globs names, whose `*` takes in slashes."""

    targets: tuple[str, ...]
    config: tuple[str, ...]


class Menus(Strict):
    """The whole file."""

    menus: tuple[Menu, ...]


def load_target(target: str) -> Target:
    """Raises UserError with file and line for a mistake in the file."""
    path = TARGETS / f"{target}.yaml"
    return load(path, Target) if path.exists() else Target()


def menus_of(target: str) -> tuple[str, ...]:
    """The kconfig lines of MENUS for a target."""
    menus = (menu for menu in _menus() if any(fnmatchcase(target, glob) for glob in menu.targets))
    return tuple(line for menu in menus for line in menu.config)


@cache
def _menus() -> tuple[Menu, ...]:
    return load(MENUS, Menus).menus


def config_file(target: str) -> Path:
    """Where the target's own fragment stands, whether it exists or not."""
    return TARGETS / f"{target}.config"
