# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads instructions that are written as numbers: in hexadecimal, an array in C, bpf_asm's and tcpdump's decimals."""

import re
from collections.abc import Callable

from testcases.seccomp.bpf.instruction import SIZE, Instruction, Program, from_raw
from util.errors import UserError

_LIMITS = (0xFFFF, 0xFF, 0xFF, 0xFFFFFFFF)
_HEX = re.compile(r"(?:[0-9a-fA-F\s,]|0x|\\x)+")
_DUMP_LINE = re.compile(r"[0-9a-fA-F]{7,8}:?((?:\s{1,2}[0-9a-fA-F]{2,4}){1,17})(?:\s.*)?")
_DECIMAL = re.compile(r"[\d\s,]+", re.ASCII)
_NUMBER = r"(?:\.\w+\s*=\s*)?(0[xX][0-9a-fA-F]+|\d+)[uUlL]*"
_ROW = re.compile(r"\{\s*" + r"\s*,\s*".join([_NUMBER] * 4) + r"\s*(?:,\s*)?\}", re.ASCII)
_ROW_BEGINS = re.compile(r"\{\s*(?:\.\w+\s*=\s*)?\d", re.ASCII)
_C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def reader_of(text: str) -> Callable[[str], Program] | None:
    """The reader for what a text looks like; None if it is none of these."""
    stripped = text.strip()
    if _DECIMAL.fullmatch(stripped) and _counted(stripped):
        return decimal
    if _ROW_BEGINS.search(text):
        return c_array
    lines = stripped.splitlines()
    if lines and all(_DUMP_LINE.fullmatch(line.strip()) and ":" in line for line in lines):
        return hexdump
    return hexadecimal if stripped and _HEX.fullmatch(stripped) else None


def _counted(text: str) -> bool:
    """Whether the first number says how many groups of four follow, each on its own."""
    lengths = [len(part.split()) for part in re.split(r"[,\n]", text) if part.strip()]
    return len(lengths) > 1 and lengths[0] == 1 and set(lengths[1:]) == {4}


def decimal(text: str) -> Program:
    """`bpf_asm`'s `4,32 0 0 4,...` on one line, `tcpdump -ddd`'s the same on several."""
    first, *rest = [part for part in re.split(r"[,\n]", text) if part.strip()]
    if int(first.strip()[:9]) != len(rest):
        raise UserError(f"says that {first.strip()[:20]} instructions follow, and {len(rest)} do")
    return tuple(_instruction(index, part.split()) for index, part in enumerate(rest))


def c_array(text: str) -> Program:
    """The rows `{ code, jt, jf, k },` of an array in C, as `tcpdump -dd` and `bpf_asm -c` print them."""
    plain = _C_COMMENT.sub(" ", text)
    rows = [match.groups() for match in _ROW.finditer(plain)]
    inner = plain.count("{") - len(rows)
    if not rows or inner > 1:
        raise UserError("no array of struct sock_filter in C: a row is { code, jt, jf, k } with four numbers")
    return tuple(_instruction(index, row) for index, row in enumerate(rows))


def hexadecimal(text: str) -> Program:
    """The bytes of a raw array, two digits each, with or without blanks, commas, `0x` or `\\x`."""
    digits = re.sub(r"0x|\\x|[\s,]", "", text)
    if len(digits) % (2 * SIZE):
        raise UserError(f"{len(digits)} hexadecimal digits are no whole instructions, which have {2 * SIZE} each")
    return from_raw(bytes.fromhex(digits))


def hexdump(text: str) -> Program:
    """What `xxd` prints."""
    lines = (re.sub(r"^\s*[0-9a-fA-F]+:", "", line).split("  ", 1)[0] for line in text.strip().splitlines())
    return hexadecimal(" ".join(lines))


def _instruction(index: int, words: list[str] | tuple[str, ...]) -> Instruction:
    try:
        values = [int(word, 16 if word[:2].lower() == "0x" else 10) for word in words]
    except ValueError:  # thousands of digits
        raise UserError(f"instruction {index}: a number has too many digits") from None
    for name, value, limit in zip(("code", "jt", "jf", "k"), values, _LIMITS, strict=True):
        if value > limit:
            raise UserError(f"instruction {index}: {name} is larger than {limit:#x}")
    return Instruction(*values)
