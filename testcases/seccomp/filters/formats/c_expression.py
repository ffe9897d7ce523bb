# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of constant expressions in C, with the names of linux/filter.h, bpf_common.h, seccomp.h, audit.h, unistd.h."""

import ast
import errno
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf import seccomp_data as data
from testcases.seccomp.filters.formats import c_integer
from testcases.seccomp.filters.formats.c_integer import Integer, Type
from testcases.seccomp.filters.formats.constants import constant
from testcases.seccomp.filters.formats.json_value import quoted
from testcases.seccomp.filters.libseccomp import number
from util.errors import UserError

_LONGEST = 2000
"""Characters of an expression."""

_BPF = ("LD", "LDX", "ST", "STX", "ALU", "JMP", "RET", "MISC", "W", "H", "B", "IMM", "ABS", "IND", "MEM", "LEN", "MSH",
        "ADD", "SUB", "MUL", "DIV", "OR", "AND", "LSH", "RSH", "NEG", "MOD", "XOR", "JA", "JEQ", "JGT", "JGE", "JSET",
        "K", "X", "A", "TAX", "TXA")  # fmt: skip
_LE, _64BIT = 0x40000000, 0x80000000
_AUDIT = {
    "AARCH64": 183 | _64BIT | _LE, "ALPHA": 0x9026 | _64BIT | _LE, "ARM": 40 | _LE, "ARMEB": 40, "I386": 3 | _LE,
    "IA64": 50 | _64BIT | _LE, "LOONGARCH64": 258 | _64BIT | _LE, "M68K": 4, "MIPS": 8, "MIPSEL": 8 | _LE,
    "MIPS64": 8 | _64BIT, "MIPS64N32": 8 | _64BIT | 0x20000000, "MIPSEL64": 8 | _64BIT | _LE,
    "MIPSEL64N32": 8 | _64BIT | _LE | 0x20000000, "PARISC": 15, "PARISC64": 15 | _64BIT, "PPC": 20,
    "PPC64": 21 | _64BIT, "PPC64LE": 21 | _64BIT | _LE, "RISCV32": 243 | _LE, "RISCV64": 243 | _64BIT | _LE, "S390": 22,
    "S390X": 22 | _64BIT, "SH": 42, "SHEL": 42 | _LE, "SPARC": 2, "SPARC64": 43 | _64BIT, "X86_64": 62 | _64BIT | _LE,
}  # fmt: skip
"""AUDIT_ARCH_* (include/uapi/linux/audit.h): the machine of the ELF header, and two bits."""
_NAMES = {
    **{f"BPF_{name}": getattr(bpf, name) for name in _BPF},
    "BPF_MEMWORDS": bpf.MEMWORDS,
    "BPF_MAXINSNS": bpf.MAXINSNS,
    **{f"SECCOMP_{name}": value for name, value in vars(data).items() if name.startswith("RET_")},
    "SECCOMP_RET_KILL": data.RET_KILL_THREAD,
    "SECCOMP_RET_DATA": data.DATA,
    "SECCOMP_RET_ACTION_FULL": data.ACTION_FULL,
    "SECCOMP_RET_ACTION": 0x7FFF0000,
    **{f"AUDIT_ARCH_{name}": value for name, value in _AUDIT.items()},
    "__AUDIT_ARCH_64BIT": _64BIT,
    "__AUDIT_ARCH_LE": _LE,
    "__X32_SYSCALL_BIT": data.X32_BIT,
    "MAX_ERRNO": 4095,
}
_OFFSETS = {"nr": data.NR, "arch": data.ARCH, "instruction_pointer": data.IP, "args": data.ARGS}
_OFFSETOF = re.compile(
    r"(?:__builtin_)?offsetof\s*\(\s*struct\s+seccomp_data\s*,\s*(\w+)\s*(?:\[\s*(\d)\s*\]\s*)?\)", re.ASCII
)
_WORD = r"(?:unsigned|signed|int|long|short|char|size_t|__[us](?:8|16|32|64)|u?int(?:8|16|32|64)_t)"
_TYPE = rf"{_WORD}(?:\s+{_WORD}){{0,3}}"
_SIZEOF = re.compile(rf"sizeof\s*\(\s*({_TYPE})\s*\)")
_CAST = re.compile(rf"\(\s*({_TYPE})\s*\)")
_NUMBER = re.compile(r"\b(0[xX][0-9a-fA-F]{1,40}|[0-9]{1,40})([uUlL]{0,3})\b", re.ASCII)
_PREFIX = "rig_type_"
"""A cast is written for the parser as `rig_type_u32 ** operand`: in Python `**` binds as a cast does in C, more than an
operator of one operand on its left and less than one on its right."""
_SIZES = {
    ("char",): 8, ("short",): 16, (): c_integer.INT, ("long",): c_integer.WIDE, ("long", "long"): c_integer.WIDE,
}  # fmt: skip
_CALL = re.compile(r"(?:__NR_|SYS_)(\w{1,64})", re.ASCII)
_UNARY: dict[type[ast.unaryop], Callable[[int], int]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_, ast.BitXor: operator.xor, ast.FloorDiv: c_integer.quotient, ast.Mod: c_integer.remainder,
}  # fmt: skip
_SHIFTS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Constants:
    """The names that an expression may hold; numbers of system calls are those of `abi`."""

    abi: str

    def find(self, name: str) -> int | None:
        """None for a name of no header."""
        try:
            return self.value(name)
        except UserError:
            return None

    def value(self, name: str) -> int:
        """Raises UserError for a name of no header."""
        if name in _NAMES:
            return _NAMES[name]
        if call := _CALL.fullmatch(name):
            found = number(call[1], self.abi)
            if found is None:
                raise UserError(f"{self.abi} has no system call {quoted(call[1])}")
            return found
        if name in errno.errorcode.values():
            return int(getattr(errno, name))
        try:
            return constant(name)
        except UserError:
            raise UserError(f"{quoted(name)} is no constant that the rig knows; write its number") from None


def value_of(text: str, constants: Constants) -> int:
    """The value of an expression, computed as C does; may be negative. Raises UserError."""
    if len(text) > _LONGEST:
        raise UserError(f"an expression of more than {_LONGEST} characters")
    if _PREFIX in text:
        raise UserError(f"{quoted(one(text))} is no constant expression")
    try:
        plain = _SIZEOF.sub(_size, _OFFSETOF.sub(_offset, " ".join(text.split())))
        plain = _CAST.sub(lambda match: f" {_named(_type_of(match[1]))} ** ", _NUMBER.sub(_literal, plain))
        return _value(ast.parse(plain.replace("/", "//").strip(), mode="eval").body, constants).value
    except (SyntaxError, ValueError, RecursionError, MemoryError, ZeroDivisionError):
        raise UserError(f"{quoted(one(text))} is no constant expression") from None


def one(text: str) -> str:
    """The text as a message may quote it."""
    return " ".join(text.split())[:80]


def _offset(match: re.Match[str]) -> str:
    if match[1] not in _OFFSETS or (match[2] is not None) > (match[1] == "args") or int(match[2] or 0) > 5:
        raise UserError(f"struct seccomp_data has no {quoted(match[0].partition(',')[2].strip(' )'))}")
    return f"{_OFFSETS[match[1]] + 8 * int(match[2] or 0)}UL"


def _size(match: re.Match[str]) -> str:
    return f"{_type_of(match[1]).bits // 8}UL"


def _type_of(words: str) -> Type:
    """Raises UserError for words that make no type."""
    said = words.split()
    if len(said) == 1 and (fixed := re.fullmatch(r"(?:__)?(u|s|)(?:int)?(8|16|32|64)(?:_t)?", words)):
        return Type(int(fixed[2]), fixed[1] != "u")
    if said == ["size_t"]:
        return Type(c_integer.WIDE, signed=False)
    sizes = sorted(word for word in said if word not in ("signed", "unsigned", "int"))
    bits = _SIZES.get(tuple(sizes))
    if bits is None or any(said.count(word) > 1 for word in ("signed", "unsigned", "int")):
        raise UserError(f"{quoted(words)} is no type of C")
    return Type(bits, "unsigned" not in said)


def _named(kind: Type) -> str:
    return f"{_PREFIX}{'s' if kind.signed else 'u'}{kind.bits}"


def _literal(match: re.Match[str]) -> str:
    """A number with its type, as a cast of it."""
    word = match[1]
    octal = word.startswith("0") and word.isdigit() and len(word) > 1
    found = c_integer.literal(int(word, 8 if octal else 0), match[2], decimal=word.isdigit() and not octal)
    return f" {_named(found.type)} ** {found.value} "


def _value(node: ast.expr, constants: Constants) -> Integer:
    match node:
        case ast.Name(id=name):
            return _constant(name, constants.value(name))
        case ast.UnaryOp(op=op, operand=inner) if type(op) in _UNARY:
            return c_integer.unary(_UNARY[type(op)], _value(inner, constants))
        case ast.BinOp(left=ast.Name(id=name), op=ast.Pow(), right=inner) if name.startswith(_PREFIX):
            kind = Type(int(name.removeprefix(_PREFIX)[1:]), name.removeprefix(_PREFIX)[0] == "s")
            if isinstance(inner, ast.Constant) and isinstance(inner.value, int):
                return kind.of(inner.value)
            return kind.of(_value(inner, constants).value)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SHIFTS:
            return c_integer.shifted(_SHIFTS[type(op)], _value(left, constants), _value(right, constants))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return c_integer.binary(_BINARY[type(op)], _value(left, constants), _value(right, constants))
        case ast.Call(func=ast.Name(id=name)):
            raise UserError(f"{quoted(name)} is a macro that the file does not define")
        case _:
            raise ValueError


def _constant(name: str, value: int) -> Integer:
    """With the type that the headers give it: what seccomp.h calls an action or a mask is unsigned."""
    return c_integer.literal(value, "U" if name.startswith("SECCOMP_") else "", decimal=False)
