# SPDX-License-Identifier: GPL-2.0-or-later
"""The filters that a user gives: whatever the format is, the same comes of it. Folders of failing cases as well. For
the suite they are members of a corpus."""

import re
import shlex
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.instruction import Program, Stack, from_raw
from testcases.seccomp.bpf.registers import archs_compared
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS, DEFAULT_ARCH
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.filters.formats import c_macros, firecracker, minijail, numbers, oci, spo
from testcases.seccomp.filters.formats.json_value import parse_json
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.policy import Form
from testcases.seccomp.filters.reproducer import CASE, FilterCase, load
from testcases.seccomp.filters.target import FilterTarget, MadeFilter
from util.errors import UserError
from util.text import one_line

STDIN = Path("-")
_LARGEST = 16 << 20
"""Bytes; no filter and no profile has more."""
_MESSAGE = 500
"""Characters of a message."""
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_C_ROW = re.compile(r"\s*(?:/\*.*?\*/\s*)*\{\s*(?:\.\w+\s*=\s*)?\d", re.DOTALL)
_MACRO_ROW = re.compile(rb"\bBPF_(?:STMT|JUMP)\s*\(")
_YAML = re.compile(r"^(?:---\s|(?:apiVersion|kind|metadata|spec|defaultAction|syscalls)\s*:)", re.MULTILINE)

Warn = Callable[[str], None]
"""Gets a line for the user about what was left out of a profile."""
_TARGET = FilterTarget(DEFAULT_ARCH)


@dataclass(frozen=True, slots=True)
class FilterFile:
    """What was read of one path: the bytes of a file, or the filters of a failing case."""

    path: Path
    data: bytes = b""
    case: Stack = ()

    def made(self, target: FilterTarget) -> tuple[MadeFilter, ...]:
        """Its filters for a kernel, as a rule one. Raises UserError naming the file and the place in it."""
        if self.case:
            return tuple(MadeFilter(program) for program in self.case)
        try:
            return (_made(self.path, self.data, target),)
        except UserError as error:
            raise UserError(f"{self.name}: {_shown(str(error))}") from None
        except RecursionError:
            raise UserError(f"{self.name}: nested too deeply") from None

    @property
    def name(self) -> str:
        """How messages call it."""
        return "standard input" if self.path == STDIN else str(self.path)


def _shown(text: str) -> str:
    """A message that quotes the file, as a terminal may have it."""
    line = one_line(text)
    return line if len(line) <= _MESSAGE else f"{line[:_MESSAGE]}..."


def open_files(paths: tuple[Path, ...]) -> tuple[FilterFile, ...]:
    """What the paths hold; `-` is standard input. Raises UserError naming the file."""
    return tuple(
        FilterFile(path, case=load(path)[1]) if (path / CASE).exists() else FilterFile(path, _read(path))
        for path in paths
    )


def _read(path: Path) -> bytes:
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise UserError(f"{path}: is larger than {_LARGEST >> 20} MiB; no filter is")
    return data


def read_stack(paths: tuple[Path, ...], target: FilterTarget, warn: Warn | None = None) -> Stack:
    """One filter for each file, in the order in which they are attached; a folder of a failing case gives all of its
    own. Raises UserError naming the file."""
    return stack_of(open_files(paths), target, warn)


def stack_of(files: tuple[FilterFile, ...], target: FilterTarget, warn: Warn | None = None) -> Stack:
    """The same of files that were read before."""
    stack: list[Program] = []
    for file in files:
        for one in file.made(target):
            stack.append(one.program)
            for note in one.notes if warn else ():
                assert warn is not None
                warn(f"{file.name}: {note}")
    return tuple(stack)


def case_of(paths: tuple[Path, ...]) -> FilterCase | None:
    """The failing case that these paths are, if they are one. Raises UserError."""
    return load(paths[0])[0] if len(paths) == 1 and (paths[0] / CASE).exists() else None


def is_profile(path: Path) -> bool:
    """Whether libseccomp makes a filter of what is in this file, so that it has several forms."""
    return path.suffix in {".json", ".yaml", ".yml"}


def _made(path: Path, data: bytes, target: FilterTarget) -> MadeFilter:
    """The filter in one file: text if it has no control characters, then by what it looks like."""
    if not data:
        raise UserError("is empty")
    head = data[:4096].removeprefix(BOM_UTF8).lstrip()
    if path.suffix == ".json" or (
        head[:1] in {b"{", b"["} and not _MACRO_ROW.search(data) and not _C_ROW.match(head.decode("utf-8", "replace"))
    ):
        return _json(data, target)
    if any(byte in data for byte in _CONTROL) and path.suffix not in {".policy", ".yaml", ".yml"}:
        return MadeFilter(from_raw(data))
    try:
        text = data.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        raise UserError("neither a raw filter nor text in UTF-8") from None
    if path.suffix not in {".yaml", ".yml", ".policy"} and c_macros.looks_so(text):
        return c_macros.made(text, target)
    if path.suffix in {".yaml", ".yml"} or _YAML.search(text):
        root = spo.parse_yaml(data)
        return spo.made(root, target) if root.find("kind") else oci.made(root, target)
    reader = None if path.suffix == ".policy" else numbers.reader_of(text)
    if reader is None and (path.suffix == ".policy" or minijail.looks_so(text)):
        return minijail.made(text, target, None if path == STDIN else path.parent)
    return MadeFilter((reader or assemble)(text))


def _json(data: bytes, target: FilterTarget) -> MadeFilter:
    root = parse_json(data)
    if root.find("kind") or root.find("apiVersion"):
        return spo.made(root, target)
    return firecracker.made(root, target) if firecracker.looks_so(root) else oci.made(root, target)


def require_valid(files: tuple[FilterFile, ...], stack: Stack) -> None:
    """Raises UserError with the kernel's errno for the first filter that cannot be attached."""
    for position, found in enumerate(attach(stack)):
        if found is not None:
            name = files[position].name if len(files) == len(stack) else f"filter {position}"
            raise UserError(f"{name}: the kernel refuses it: {found}")


def archs_named(stack: Stack) -> tuple[int, ...]:
    """The audit architectures that the filters compare with, known to the rig or not, in order."""
    return tuple(dict.fromkeys(arch for program in stack for arch in archs_compared(program)))


def abis_of(stack: Stack) -> tuple[str, ...]:
    """The ABIs of the kernel for which the filters look made: those of the first architecture that has one whose
    audit value is compared with; the default's if none is compared with at all, none if only unknown ones are."""
    compared = archs_named(stack)
    for abis in ARCH_ABIS.values():
        if any(ABIS[abi].audit_arch in compared for abi in abis):
            return tuple(abi for abi in abis if ABIS[abi].audit_arch in compared)
    return () if compared else ARCH_ABIS[DEFAULT_ARCH]


def kernel_arch(abi: str) -> str:
    """The architecture of the kernels that serve an ABI."""
    return next(arch for arch, abis in ARCH_ABIS.items() if abi in abis)


def named_files(option: str) -> tuple[Path, ...]:
    """The paths in the suite's option `filters: "a.json b.bpf"`; quotes as in a shell."""
    try:
        return tuple(Path(word) for word in shlex.split(option))
    except ValueError as error:
        raise UserError(f"option filters: {error}: {option}") from None


def file_members(paths: tuple[Path, ...], arch: str, target: FilterTarget = _TARGET) -> Iterator[NamedStack]:
    """A program, raw or as text, as it is; a profile (`.json`, `.yaml`) as libseccomp makes it, in each form, for the
    container that `target` describes.

    Members are named by the file, so two files of one name are a mistake. Raises UserError, also for a profile that
    libseccomp cannot make a filter of.
    """
    names = [path.name for path in paths]
    for path in paths:
        if names.count(path.name) > 1:
            raise UserError(f"{path}: another file is named {path.name} too; results could not be told apart")
        (file,) = open_files((path,))
        for form in Form if is_profile(path) else (Form.LINEAR,):
            suffix = f"/{form}" if is_profile(path) else ""
            (made,) = file.made(replace(target, arch=arch, form=form))
            yield NamedStack(
                f"file/{path.name}{suffix}",
                (made.program,),
                arch=arch,
                abis=made.abis or ARCH_ABIS[arch],
                origin=str(path),
            )
