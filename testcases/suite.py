# SPDX-License-Identifier: GPL-2.0-or-later
"""What a suite is: it prepares what a guest needs, and reads what the guest sent back. It starts nothing itself.

A suite is one folder under `testcases/` whose package holds `SUITE`, an object with the methods of `Suite`; nothing
else has to be told of it (`testcases.registry`). What can stand behind the slash of its name is what `topics` of the
package itself says, `testcases/<suite>/__init__.py`, which imports next to nothing.
"""

import hashlib
import stat
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from configs.model import Abi, Arch, SuiteChoice
from configs.result import TestResult
from guests.qemu.devices import NO_DEVICES, Devices
from initramfs.abi_header import abi_flags
from initramfs.cpio import Entry
from initramfs.job import Step
from util.events import Listener
from util.stop import Stop

if TYPE_CHECKING:
    from guests.run.run import Outcome
    from kernels.build.external_modules import ModuleSources
    from kernels.kconfig.fragments import Fragment
    from kernels.source.store import Store


class SuiteError(Exception):
    """The suite cannot be made from this tree: the test's fault, one line. Its cells get one ERROR result from it."""


@dataclass(frozen=True, slots=True)
class SuiteContext:
    """For whom a suite is prepared: `commit` names the patched variant's tree in `store`, `tree` a checkout of it.

    `kernels` are the command line options by which every command of the rig means this run's kernels; `figures` asks a
    suite that measures for the windows of these `<test>/<figure>` and for nothing that they do not need
    (`testcases.benchmark.windows`); `wall` asks it for wall time, in a guest that does not count instructions; `test`
    is the glob of the only tests that count, as `TEST` or `SUITE/TEST`: a suite may leave out what cannot answer to it.
    """

    choice: SuiteChoice
    tree: Path
    commit: str
    store: "Store"
    arch: Arch
    abi_name: str
    abi: Abi
    emit: Listener
    stop: Stop
    kernels: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    wall: bool = False
    test: str = ""

    @property
    def abi_flags(self) -> tuple[str, ...]:
        """The compiler's options with which a program of ours finds `abi.h`."""
        return abi_flags(self.arch, self.abi, self.stop)

    @property
    def topic(self) -> str:
        """What stands behind the slash of the suite's name: the target of `selftests/timers`."""
        return self.choice.name.partition("/")[2]


@dataclass(frozen=True, slots=True)
class OwnModules:
    """Loadable modules that a suite brings and that are built against each kernel it runs on. `place` is the folder of
    the guest in which they stand."""

    sources: "ModuleSources"
    place: str


@dataclass(frozen=True, slots=True)
class Payload:
    """What a guest gets, and what is known before it starts.

    `digest` names the content of all that the guest's results depend on. `settled` are results that need no guest (a
    program that does not compile); `origins` maps a step's name to the source file of its test, relative to the tree.
    `shell` asks for the image's busybox, `smp` for a number of processors (0: the machine's own), `parallel` for
    processors that run at the same time where TCG would run them in turn, `counted` for a guest whose clock counts its
    instructions: one processor, TCG whatever accelerator the others have, and nothing in it that differs from one run
    to the next. `kernels` are those of the context, for commands that are told to the reader of a result; no result
    depends on them. `packages` are Debian packages of the guest's architecture that the image gets, with what they
    depend on; `modules` asks for the kernel's loadable modules, `own_modules` are those that the suite brings,
    `memory_mb` asks for more memory than the profile's, `devices` for disks and network cards, `boot_seconds` for more
    time than usual from power-on to init, at bare metal speed; `append` are kernel parameters. `machine` is the
    machine of an architecture that has it, where the profile names none; `kernel_image` asks for the kernel itself as
    `/boot/vmlinuz`; `expects_faults` says that its tests judge what faults the kernel reports while they run,
    `provokes` are the titles (globs) of the faults that its tests ask the kernel for wherever they run. `wishes` are
    the kernel options that the suite's sources ask for and a kernel may lack. `guests` is how many guests its programs
    are shared out over.
    """

    files: tuple[Entry, ...]
    steps: tuple[Step, ...]
    digest: str
    settled: tuple[TestResult, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    shell: bool = False
    smp: int = 0
    parallel: bool = False
    counted: bool = False
    kernels: tuple[str, ...] = ()
    wishes: tuple["Fragment", ...] = ()
    packages: tuple[str, ...] = ()
    modules: bool = False
    own_modules: OwnModules | None = None
    memory_mb: int = 0
    devices: Devices = NO_DEVICES
    append: tuple[str, ...] = ()
    boot_seconds: float = 0.0
    machine: str = ""
    kernel_image: bool = False
    expects_faults: bool = False
    provokes: tuple[str, ...] = ()
    guests: int = 1


@dataclass(frozen=True, slots=True)
class RepeatedFailure:
    """Tests of one payload that failed on a kernel, and did so again in fresh guests. `folder` (made if absent) takes
    files about them, `label` names the cell in events."""

    payload: Payload
    failed: tuple[TestResult, ...]
    folder: Path
    label: str
    emit: Listener


FollowUp = Generator[Payload, "Outcome", tuple[TestResult, ...]]
"""Yields what one more fresh guest of the same kernel is to get, and is sent what that guest came to, as often as it
likes; returns those of the failed tests, in any number, of which message or output can say more now."""


class Suite(Protocol):
    def folder(self, choice: SuiteChoice) -> str:
        """Where the suite's own sources stand in the kernel tree; empty if it has none there."""

    def fragments(self, choice: SuiteChoice, tree: Path) -> tuple["Fragment", ...]:
        """The kernel configuration that the suite needs."""

    def commands(self, context: SuiteContext, tree: Path, out: Path) -> tuple[tuple[str, ...], ...]:
        """Argument lists that make the suite's programs by hand in the new folder `out`, from a checkout that will
        stand at `tree` by then. Starts nothing."""

    def prepare(self, context: SuiteContext) -> Payload:
        """Compiles, or takes from the cache. Raises SuiteError, UserError for a name that does not exist, Stopped."""

    def read(self, payload: Payload, outcome: "Outcome") -> tuple[TestResult, ...]:
        """One result for each test, whatever the guest's end: a test that is missing has to be said to be."""


@runtime_checkable
class FollowingSuite(Suite, Protocol):
    """A suite that can find out more about a failure once it is known to hold."""

    def follow_up(self, finding: RepeatedFailure) -> FollowUp:
        """Within about a minute of guests' time. It may be closed early."""


@runtime_checkable
class SelectingSuite(Suite, Protocol):
    """A suite that can run some of its tests without the others."""

    def select(self, payload: Payload, tests: Collection[str]) -> Payload | None:
        """What a guest needs that is to run these tests, and as little else as can be; None where that is everything.
        Each test must come to what it comes to in the whole suite, if the kernel does the same."""


@runtime_checkable
class ContinuingSuite(Suite, Protocol):
    """A suite of which a guest may leave some tests undone that another guest can do."""

    def rest(self, payload: Payload, outcome: "Outcome") -> Generator[Payload, "Outcome", None]:
        """Yields what further guests of the same kernel get, one by one, and is sent what each came to; `read` reads
        those as well, and their results are the cell's too."""


@dataclass(frozen=True, slots=True)
class TopicOffer:
    """One topic of a suite in a kernel tree. `kind` is empty where it runs, else the kind of thing that it needs and
    does not get here (`hardware`, `tool`, ...), and `reason` one sentence about it."""

    topic: str
    kind: str = ""
    reason: str = ""


@runtime_checkable
class OfferingSuite(Suite, Protocol):
    """A suite whose topics depend on the tree; without a topic it means all that can run."""

    def offers(self, tree: Path, arch: Arch) -> tuple[TopicOffer, ...]:
        """Every topic of the tree for this architecture on this machine, sorted."""


def payload_digest(
    files: Iterable[Entry], steps: Iterable[Step], settled: Iterable[TestResult] = (),
    modules: OwnModules | None = None,
) -> str:  # fmt: skip
    """Hexadecimal digest of a payload's content, independent of the order of `files`."""
    digest = hashlib.sha256()
    for entry in sorted(files, key=lambda entry: entry.path):
        content = hashlib.sha256(entry.data).hexdigest() if stat.S_ISREG(entry.mode) else entry.data.hex()
        digest.update(repr((entry.path, entry.mode, content, entry.rdev)).encode())
    for step in steps:
        digest.update(repr(step).encode())
    for result in settled:
        digest.update(repr((result.name, str(result.status), result.message)).encode())
    if modules:
        digest.update(repr((modules.sources.digest, modules.place)).encode())
    return digest.hexdigest()
