# SPDX-License-Identifier: GPL-2.0-or-later
"""What a counted guest executes in the windows that its program marks, to the instruction: QEMU loads a plugin of ours
(`windows.c`), which writes them down.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from configs.model import Arch, Toolchain
from initramfs.toolchain import CompileError, compile_shared
from util.errors import MachineError
from util.stop import Stop

FILE = "windows.txt"
_SOURCE = Path(__file__).resolve().parent / "windows.c"
_FLAGS = ("-std=gnu11", "-O2", "-g0", "-s", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden")
_HOST = Toolchain(cc="gcc", packages=("gcc", "libc6-dev"), triple="")


class TraceError(Exception):
    """A trace that is not of the format, or cut off; one line."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window: how many marks were before it, and how often each address was executed in it."""

    marks: int
    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        """Its instructions."""
        return sum(self.counts.values())


def interface_version(qemu: str) -> int:
    """The version of the plugin interface that a QEMU of this version (`7.2.22`) serves: `plugin.h` says which.

    Raises MachineError for what is no version, or one before plugins could do this.
    """
    match = re.match(r"(\d+)\.(\d+)", qemu)
    if match is None or (number := (int(match[1]), int(match[2]))) < (6, 0):
        raise MachineError(
            f"QEMU {qemu or '(unknown version)'} cannot count instructions by function; 6.0 and later can"
        )
    return 1 if number < (9, 0) else 2 if number < (9, 1) else 3


def plugin_option(folder: Path, arch: Arch, qemu: str, stop: Stop) -> str:
    """The value of `-plugin` that makes a QEMU of the version `qemu` write `FILE` into the folder. Compiles the plugin,
    or takes it from the cache. Raises MachineError where it does not compile or QEMU is too old, Stopped."""
    flags = (*_FLAGS, f"-DPLUGIN_VERSION={interface_version(qemu)}")
    try:
        library = compile_shared(_HOST, [_SOURCE], "windows.so", flags=flags, stop=stop)
    except CompileError as error:
        raise MachineError(f"QEMU's plugin does not compile: {error.first_line}") from None
    parts = [f"file={library}", f"out={folder / FILE}", f"kernel={arch.kernel_from:#x}"]
    parts += [f"mark={form}" for form in arch.trace_marks] + [f"look={form}" for form in arch.trace_looks]
    return ",".join(part.replace(",", ",,") for part in parts)


def read_trace(path: Path) -> tuple[Window, ...]:
    """The windows of a file that the plugin wrote, in order. Raises TraceError."""
    try:
        return parse_trace(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"no trace: {error}") from None


def parse_trace(text: str) -> tuple[Window, ...]:
    """The same for the text: blocks of `window MARKS`, lines `ADDRESS COUNT` in hexadecimal, `end`."""
    found: list[Window] = []
    marks, counts = 0, dict[int, int]()
    for line in text.splitlines():
        match line.split():
            case ["window", number] if not marks and number.isdecimal() and int(number):
                marks, counts = int(number), {}
            case ["end"] if marks:
                found.append(Window(marks, counts))
                marks = 0
            case [address, count] if marks and _is_hex(address) and _is_hex(count):
                counts[int(address, 16)] = int(count, 16)
            case _:
                raise TraceError(f"not a line of a trace: {line[:80]!r}")
    if marks:
        raise TraceError("the trace ends within a window")
    return tuple(found)


def _is_hex(word: str) -> bool:
    return all(character in "0123456789abcdef" for character in word)
