# SPDX-License-Identifier: GPL-2.0-or-later
"""The typed model that every YAML file of `configs/` loads into. `configs.loader` fills it and writes the error
messages."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from configs.limit import Limit, parse_limit


class Strict(BaseModel):
    """Frozen, and an unknown key is an error: a misspelt key must never be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Toolchain(Strict):
    """What compiles static user programs for one ABI. `cc` is the compiler's name, `packages` its Debian packages."""

    cc: str
    cflags: tuple[str, ...] = ()
    packages: tuple[str, ...]
    triple: str
    """GNU triple for configure scripts and archive tools (`<triple>-ar`)."""
    libc: str = ""
    """The static C library: the file that tells whether the libc package is installed."""


class SystemCalls(Strict):
    """How an ABI's system calls show themselves: to the audit subsystem, to filters and to what makes filters."""

    audit_arch: int = Field(ge=0, lt=1 << 32)
    """AUDIT_ARCH_* (include/uapi/linux/audit.h)."""
    offset: int = 0
    """What a number of the ABI's own table carries in addition, where two ABIs share an audit architecture."""
    number_bits: int = Field(default=32, ge=8, le=32)
    """Bits of a number that the kernel looks at."""
    clone_flags: int = 0
    """Which argument of clone(2) holds its flags, counted from 0 (CONFIG_CLONE_BACKWARDS2)."""
    wide: bool
    """Whether arguments have 64 bits."""
    shift_bits: int = Field(default=5, ge=5, le=6)
    """Bits of a filter's X that the kernel's compiler of filters shifts by: with 6, A is 0 after a shift by 32 to 63
    (`sll` of s390, `slw` of ppc64)."""
    second_entry: str = ""
    """The ABI of the same kernel whose calls a program of this one can make as well, by an instruction of its own;
    `guest_code` has it as `second_call`."""
    scmp_arch: str
    """What stands behind SCMP_ARCH_ in that library's name for it."""
    cache_name: str = ""
    """What the kernel calls it in /proc, where it shows a table of each ABI; empty where it has no table of its own."""


class Abi(Strict):
    """One system call ABI of an architecture. `kernel_header_arch` is the ARCH of `make headers_install` for it."""

    toolchain: Toolchain
    system_calls: SystemCalls
    guest_code: str
    """C that every program of the rig for this ABI can include as `abi.h`: see `initramfs/abi_header.py`."""
    kernel_header_arch: str
    bits: int
    description: str = ""
    debian_arch: str = ""
    """Debian's name for the packages whose programs have this ABI; empty where it has none."""


class Counted(Strict):
    """How a machine has to differ so that its counter, read in user space, counts guest instructions: `-cpu` and the
    virtio-serial controller where they are not the usual ones, and further kernel parameters."""

    cpu: str = ""
    append: tuple[str, ...] = ()
    serial_device: str = ""


class Machine(Strict):
    """One QEMU machine. `args` are QEMU arguments, `image` names the build output that `-kernel` takes,
    `append` the kernel command line that the machine needs (console and the like)."""

    args: tuple[str, ...]
    image: str
    image_needs: tuple[str, ...] = ()
    """kconfig lines without which `image` does not boot."""
    image_refuses: tuple[str, ...] = ()
    """kconfig lines with which `image` does not boot."""
    image_otherwise: str = ""
    """The build output to boot where `image_needs` or `image_refuses` rules `image` out."""
    magic_key: str = Field(default="", pattern="^[A-Z]?$")
    """What is typed with Ctrl on the console before a letter of the magic key (Documentation/admin-guide/sysrq.rst);
    empty: a break on the serial line."""
    nmi: bool = False
    """Whether the kernel answers a non-maskable interrupt with a trace."""
    append: tuple[str, ...] = ()
    accel_append: dict[str, tuple[str, ...]] = {}
    """Further kernel parameters by accelerator."""
    serial_device: str
    """The virtio-serial controller, for example `virtio-serial-device` or `virtio-serial-pci`."""
    devices: tuple[str, ...] = ()
    """Further `-device` values."""
    smp: int = Field(default=2, ge=1)
    """Processors of a guest that asks for no other number."""
    accel_options: dict[str, str] = {}
    """Further `-accel` options by accelerator: {tcg: thread=single}."""
    parallel_options: dict[str, str] = {}
    """The `-accel` options instead of these for a guest whose processors must truly run at the same time."""
    pci: bool = False
    counted: Counted | None = None
    """Absent: guests that count their instructions cannot run on it."""

    @property
    def boots_any_kernel(self) -> bool:
        """Whether it needs nothing of a kernel's configuration."""
        return bool(self.image_otherwise) or not (self.image_needs or self.image_refuses)


class CrashForms(Strict):
    """How an architecture's kernel writes about itself: regular expressions that `guests/crash` takes beside its own.
    Empty ones match nothing."""

    registers: str = ""
    """With what the lines of a register dump begin."""
    counter: str = ""
    """What stands before the function at which the program counter was."""
    link: str = ""
    """What stands before the function to which the link register leads."""
    no_counter: str = ""
    """A program counter that is in no function."""
    frame: str = ""
    """What stands before a function of a call trace, where it is not just its address."""
    guess: str = ""
    """The same where the unwinder is not sure of it."""
    behind_trace: str = ""
    """With what a line begins that ends a call trace, though addresses follow."""
    skip: str = ""
    """Functions that only report, or that every exception goes through."""
    kinds: tuple[dict[str, Any], ...] = ()
    """Kinds of reports that no other architecture has, as `guests/crash/splats.yaml` describes them."""


_CODE = r"^(?:[0-9a-f]{2})+(?:/(?:[0-9a-f]{2})+)?$"
"""Bytes in the order of the addresses; behind a slash as many, of which only the bits that are set count."""


class Branch(Strict):
    """A direct branch within a section, whose distance the assembler writes by itself. `code` is the whole instruction
    (as `Arch.trace_marks` says) without its distance."""

    code: str = Field(pattern=_CODE)
    distance: str = Field(pattern=r"^\d+:\d+(?:,\d+:\d+)*$")
    """The bits that hold the distance, `high:low` of the instruction as one number in the machine's byte order; several
    ranges begin with the most significant one. The distance has a sign."""
    unit: int = Field(default=1, ge=1)
    """Bytes to a step of the distance."""
    from_end: bool = False
    """The distance is counted from the end of the instruction, and not from its start."""


class ElfForms(Strict):
    """What object files of an architecture look like."""

    machine: str = ""
    """e_machine, as EM_* of <elf.h>."""
    alignment: int = Field(default=1, ge=1)
    """At multiples of how many bytes instructions begin."""
    branches: tuple[Branch, ...] = ()
    """Absent: a function in which the distance of such a branch differs is a changed function."""
    from_behind: dict[int, int] = {}
    """Relocations that are not counted from where they stand, by type: how many bytes behind that, or before it."""
    plain: dict[int, int] = {}
    """Bytes that relocations write which hold an address as it is, by type; for machines whose relocations pyelftools
    does not apply to debug information."""


class SandboxCalls(Strict):
    """Numbers of system calls (asm/unistd.h) that a sandbox refuses on a host of an architecture, for Landlock does not
    cover them: whatever makes a socket that can reach others, and the keyrings of the user."""

    sockets: tuple[int, ...]
    keyrings: tuple[int, ...]


class Arch(Strict):
    """An architecture: how its kernels are configured, built and booted."""

    name: str
    kernel_arch: str
    """ARCH= for the kernel's make."""
    cross_compile: str = ""
    """CROSS_COMPILE= where the host is of another architecture, see `native_machine`."""
    cross_compile_compat: str = ""
    """CROSS_COMPILE_COMPAT= for the part of the kernel that 32-bit programs run, the vDSO; empty where the compiler of
    the kernel makes that as well. Kconfig leaves the vDSO out where it is not set (arch/arm64/Kconfig, COMPAT_VDSO)."""
    native_machine: str
    """`uname -m` of a host on which no cross compiler is needed and KVM can serve."""
    byte_order: Literal["little", "big"] = "little"
    cache_line: int = 64
    """Bytes of a cache line (L1_CACHE_BYTES of arch/*/include/asm/cache.h)."""
    kernel_from: int = 1 << 63
    """The lowest address at which code of the kernel runs, where no address is random. Programs run below it."""
    c_macros: tuple[str, ...]
    """What a C compiler for it has predefined as its name."""
    go_arch: str
    """GOARCH, by which the software of containers names the architecture."""
    debian_arch: str = ""
    """Debian's name of the architecture, for packages of it that go into an image."""
    packages: tuple[str, ...] = ()
    targets: tuple[str, ...]
    """make targets, for example bzImage."""
    outputs: dict[str, str]
    """Build output by name: `image`, `vmlinux`, ... -> path in the build folder."""
    fragments: tuple[str, ...]
    """Names of kconfig fragments under `configs/fragments`, without `.config`."""
    qemu: str
    qemu_packages: tuple[str, ...]
    cpu: dict[str, str]
    """`-cpu` by accelerator: {kvm: host, tcg: max}."""
    machines: dict[str, Machine]
    default_machine: str
    crash: CrashForms = CrashForms()
    elf: ElfForms = ElfForms()
    sandbox_calls: SandboxCalls | None = None
    """Absent: on a host of this architecture, Landlock's sandbox refuses no system calls (docs/sandbox.md)."""
    qemu_counter: str
    """A regular expression: how QEMU's `info registers` shows the program counter, as group `pc`."""
    trace_marks: tuple[str, ...] = ()
    """The bytes of the instructions by which a program of one of the ABIs marks a window: hexadecimal, in the order of
    the addresses; with a slash and as many further bytes, only the bits that are set in these count."""
    trace_looks: tuple[str, ...] = ()
    """The same for those that read the counter."""
    abis: dict[str, Abi]

    @property
    def native_abi(self) -> Abi:
        """The ABI that has the architecture's name, else its first of 64 bits."""
        return self.abis.get(self.name) or next(abi for abi in self.abis.values() if abi.bits == 64)


class SuiteChoice(Strict):
    """One suite of a profile, written as a bare name (`selftests/timers`) or as a mapping."""

    name: str
    machine: str = ""
    archs: tuple[str, ...] = ()
    """The architectures it runs on; empty: all of the profile."""
    config: tuple[str, ...] = ()
    timeout: int | None = Field(default=None, gt=0)
    """Seconds for one test program on bare metal speed; the suite's own where absent."""
    options: dict[str, str | int | bool] = {}
    isolated: bool = False
    """Each program has a guest of its own, so that none finds what another has left behind."""


class VariantChoice(Strict):
    """One variant of a comparison. `series` is a series spec, `none`, or absent for the profile's; `config` adds
    kconfig lines (`CONFIG_FOO=y`); `patches` keeps only the first so many patches of the series."""

    name: str
    series: str | None = None
    patches: int | None = Field(default=None, ge=0)
    config: tuple[str, ...] = ()


class BudgetChoice(Strict):
    """A limit for figures of one suite. `figure` is a glob over `<test>/<figure>`; `arch`, `abi`, `flavour` and
    `source` (the base's version) are globs; `limit` is in the grammar of `configs.limit`."""

    suite: str
    figure: str = Field(min_length=1)
    limit: str
    arch: str = "*"
    abi: str = "*"
    flavour: str = "*"
    source: str = "*"

    @field_validator("limit")
    @classmethod
    def _is_a_limit(cls, value: str) -> str:
        return parse_limit(value).text

    @property
    def parsed(self) -> Limit:
        return parse_limit(self.limit)


class BudgetFile(Strict):
    """A file of budgets that several profiles share. `source` is that of every budget that names none of its own."""

    source: str = "*"
    budgets: tuple[BudgetChoice, ...]


class LayoutChoice(Strict):
    """The structs whose layout is compared: `structs` by name, or as FILE:NAME where several files define the name;
    `touched` adds every struct whose definition the series touches."""

    structs: tuple[str, ...] = ()
    touched: bool = True

    @field_validator("structs")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not re.fullmatch(r"(?:[A-Za-z0-9_./+-]+\.[ch]:)?[A-Za-z_]\w*", text):
                raise ValueError(f"{text!r} is neither NAME nor FILE:NAME")
        return value


class Profile(Strict):
    """A profile: one comparison. The first of `variants` is the base; the last is judged against it."""

    name: str
    description: str
    source: str
    series: str = "none"
    archs: tuple[str, ...]
    abis: tuple[str, ...] = ()
    """Empty: every ABI of every arch."""
    flavours: tuple[str, ...] = ("plain",)
    suites: tuple[SuiteChoice, ...]
    variants: tuple[VariantChoice, ...] = ()
    """Empty: `base` (series none) and, with a series, `patched`."""
    config: tuple[str, ...] = ()
    """kconfig lines for every variant."""
    layout: LayoutChoice = LayoutChoice()
    size: bool = True
    """Compare the sizes of objects and functions."""
    checkpatch: bool = True
    """Ask the tree's own checkpatch of each patch."""
    compile_with: tuple[Literal["gcc", "clang", "gcc allmodconfig", "clang allmodconfig"], ...] = (
        *("gcc", "clang", "gcc allmodconfig", "clang allmodconfig"),
    )
    """With what `--each` compiles the files that a patch touches, for the warnings that it brings."""
    budgets: tuple[BudgetChoice, ...] = ()
    budget_file: str = ""
    """A YAML file of further budgets; a loaded profile holds them in `budgets`."""
    known_issues: str = ""
    rerun: int = Field(default=3, ge=0)
    memory_mb: int = Field(default=512, ge=64)

    @field_validator("suites", mode="before")
    @classmethod
    def _bare_names(cls, value: object) -> object:
        if isinstance(value, list):
            return [{"name": item} if isinstance(item, str) else item for item in value]
        return value

    @field_validator("archs", "suites")
    @classmethod
    def _not_empty(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value:
            raise ValueError("must name at least one")
        return value
