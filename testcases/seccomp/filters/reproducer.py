# SPDX-License-Identifier: GPL-2.0-or-later
"""A failing case as a folder that stands alone: the filters, a C program, and the command that tries it again.

    case.json       which ABI, which call, what was expected, what was seen, how to replay it
    filter-0.bpf    the filters as raw arrays, in the byte order of the ABI, the oldest first
    reproducer.c    attaches them in a child, makes the call, prints what came back and what the cache held

The C program needs nothing but the C library and compiles without a warning for every ABI of the rig.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError, field_validator

from configs.model import Strict
from testcases.seccomp.agent.batch import Way
from testcases.seccomp.bpf.assembly import instruction_text
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Program, Stack, from_raw, to_raw
from testcases.seccomp.bpf.seccomp_data import ABIS, order_of_abi
from util.errors import UserError
from util.paths import called_as

CASE = "case.json"
PROGRAM = "reproducer.c"
_FILTER = "filter-{}.bpf"
_TEMPLATE = Path(__file__).with_name("reproducer.c.in")


class FilterCase(Strict):
    """The content of `case.json`. `check` is the one that fails; `nr` as the filter sees it (u32). `way` says how the
    task came to its filters, as in `batch.Way`. `origin` says where the stack comes from, for example the seed;
    `kernel` which kernel it failed on; `replay` is the command, ready to paste."""

    abi: str
    check: str = ""
    way: str = Way.PLAIN.name
    between: bool = False
    """The call is also made after each filter but the last."""
    nr: int
    arch: int
    args: tuple[int, ...] = (0,) * 6
    expected: str = ""
    observed: str = ""
    origin: str = ""
    kernel: str = ""
    filters: tuple[str, ...] = ()
    replay: str = ""

    @field_validator("way")
    @classmethod
    def _is_a_way(cls, value: str) -> str:
        if value not in Way.__members__:
            raise ValueError(f"{value!r} is none of {', '.join(Way.__members__)}")
        return value

    @property
    def call(self) -> Call:
        return Call(self.nr, self.arch, args=self.args)


def save(folder: Path, case: FilterCase, stack: Stack, kernels: Sequence[str] = ()) -> FilterCase:
    """Writes the folder, in place of an older one, and returns the case as it was written, with filters and command.
    `kernels` are the command's options that say which kernels are meant."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(_FILTER.format("*")):
        old.unlink()
    names = tuple(map(_FILTER.format, range(len(stack))))
    for name, program in zip(names, stack, strict=True):
        (folder / name).write_bytes(to_raw(program, order_of_abi(case.abi)))
    command = (called_as(), "filter", "replay", str(folder), "--abi", case.abi, *kernels)
    case = case.model_copy(update={"filters": names, "replay": shlex.join(command)})
    (folder / PROGRAM).write_text(c_program(case, stack))
    (folder / CASE).write_text(case.model_dump_json(indent=2) + "\n")
    return case


def load(folder: Path) -> tuple[FilterCase, Stack]:
    """What `save` wrote. Raises UserError naming the file at fault."""
    path = folder / CASE
    try:
        case = FilterCase.model_validate_json(path.read_text())
        stack = []
        for name in case.filters:
            path = folder / Path(name).name
            stack.append(from_raw(path.read_bytes(), order_of_abi(case.abi)))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(str(part) for part in mistake["loc"])
        raise UserError(f"{path}: {where}: {mistake['msg']}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return case, tuple(stack)


def c_program(case: FilterCase, stack: Stack) -> str:
    """The text of `reproducer.c`."""
    arrays = "\n".join(_array(position, program) for position, program in enumerate(stack))
    entries = "".join(f"\t{{ sizeof(filter_{at}) / sizeof(*filter_{at}), filter_{at} }},\n" for at in range(len(stack)))
    args = ", ".join(f"(word)0x{value:x}ULL" for value in case.args)
    parts = {
        "@heading@": "\n".join(f" * {line}" for line in _heading(case)),
        "@filters@": f"{arrays}\nstatic struct sock_fprog filters[] = {{\n{entries}}};",
        "@between@": str(int(case.between)),
        "@number@": f"(int)0x{case.nr:x}U",
        "@args@": args,
    }
    text = _TEMPLATE.read_text()
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _heading(case: FilterCase) -> list[str]:
    facts = {
        "check": case.check,
        "expected": case.expected,
        "observed": case.observed,
        "kernel": case.kernel,
        "filters from": case.origin,
        "replay with": case.replay,
    }
    lines = [f"System call 0x{case.nr:x} of {case.abi} under these filters."]
    if case.way != Way.PLAIN.name:
        lines.append(f"It failed by way of a {case.way.lower()}; this program attaches and calls in one task.")
    if case.arch and case.arch != ABIS[case.abi].audit_arch:
        lines.append(f"It failed for this number of arch 0x{case.arch:x}; this program calls that of its own ABI.")
    return lines + [f"{name}: {_comment(value)}" for name, value in facts.items() if value]


def _comment(text: str) -> str:
    """One line that cannot end the comment it stands in."""
    return " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *")


def _array(position: int, program: Program) -> str:
    lines = "".join(
        f"\t{{ 0x{insn.code:02x}, {insn.jt}, {insn.jf}, 0x{insn.k:08x} }}, /* l{index}: "
        f"{_comment(instruction_text(insn, index))} */\n"
        for index, insn in enumerate(program)
    )
    return f"static struct sock_filter filter_{position}[] = {{\n{lines}}};\n"
