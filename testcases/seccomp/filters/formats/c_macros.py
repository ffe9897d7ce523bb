# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads an array of `struct sock_filter` as people write it in C: BPF_STMT, BPF_JUMP, and macros of their own.

gcc's preprocessor expands the macros that the text defines; what it would include is left out, and the constants of
linux/filter.h, seccomp.h, audit.h and unistd.h are known here. What only a running program knows is refused by name.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from configs.names import raw
from testcases.seccomp.bpf.instruction import WORD, Instruction
from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS
from testcases.seccomp.filters.formats.c_expression import Constants, value_of
from testcases.seccomp.filters.formats.json_value import quoted
from testcases.seccomp.filters.target import FilterTarget, MadeFilter
from util.children.program import run
from util.errors import UserError
from util.text import one_line

_MACRO = re.compile(r"\bBPF_(?:STMT|JUMP)\s*\(")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)
_KEPT = re.compile(r"\s*#\s*(?:define|undef|if|ifdef|ifndef|elif|else|endif)\b")
_DIRECTIVE = re.compile(r"\s*(?:#|%:|\?\?=)")
_ARRAY = re.compile(r"\bstruct\s+sock_filter\s+(\w{1,100})\s*\[[^\]\n]{0,200}\]\s*=\s*\{", re.ASCII)
_CAST = re.compile(r"\(\s*(?:const\s+)?struct\s+sock_filter\s*\)\s*")
_FIELD = re.compile(r"\.\s*(code|jt|jf|k)\s*=\s*(.*)", re.DOTALL)
_WORD = re.compile(r"\b[A-Z_]\w{2,64}\b", re.ASCII)
_NAMES = ("code", "jt", "jf", "k")
_LIMITS = (0xFFFF, 0xFF, 0xFF, WORD)
_ORDERS = ("__LITTLE_ENDIAN=1234", "__BIG_ENDIAN=4321", "__ORDER_LITTLE_ENDIAN__=1234", "__ORDER_BIG_ENDIAN__=4321")
_ORDER = {"little": 1234, "big": 4321}
_FORMS = ("BPF_STMT(c,k)={(c),0,0,(k)}", "BPF_JUMP(c,k,t,f)={(c),(t),(f),(k)}")
_LIMIT = ("prlimit", "--as=536870912", "--cpu=5", "--fsize=16777216")
"""Macros can grow without end."""


def looks_so(text: str) -> bool:
    """Whether a macro for an instruction is called."""
    return bool(_MACRO.search(text))


def made(text: str, target: FilterTarget) -> MadeFilter:
    """The filter of the array `target.part`, which may be left out if there is only one. Raises UserError."""
    constants = Constants(ARCH_ABIS[target.arch][0])
    plain = _expanded(text, target.arch, constants)
    arrays = {match[1]: match.end() - 1 for match in _ARRAY.finditer(plain)}
    if target.part and target.part not in arrays:
        raise UserError(f"no array {quoted(target.part)} of struct sock_filter (it has: {', '.join(arrays) or 'none'})")
    if len(arrays) > 1 and not target.part:
        raise UserError(f"holds the arrays {', '.join(arrays)}; choose one with --part")
    name = target.part or next(iter(arrays), "")
    body = _inside(plain, arrays[name]) if name else plain
    rows = [row.strip() for row in _split(body) if row.strip()]
    program = tuple(_instruction(index, row, constants) for index, row in enumerate(rows))
    return MadeFilter(program, how=f"as a C compiler reads it for {target.arch}")


def _expanded(text: str, arch: str, constants: Constants) -> str:
    """The text with its macros replaced, as for a compiler whose target is a kernel of `arch`."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = _COMMENT.sub(" ", joined).splitlines()
    kept = [line for line in lines if not _DIRECTIVE.match(line) or _KEPT.match(line)]
    asked = {name for line in kept if _DIRECTIVE.match(line) and "define " not in line for name in _WORD.findall(line)}
    known = ((name, constants.find(name)) for name in sorted(asked))
    headers = (f"{name}={value}" for name, value in known if value is not None)
    data = raw("archs", arch)
    order = _ORDER[data.get("byte_order", "little")]
    byte_order = (f"__BYTE_ORDER={order}", f"__BYTE_ORDER__={order}", *_ORDERS)
    given = (*data["c_macros"], "__LP64__", "__linux__", *byte_order, *_FORMS, *headers)
    with tempfile.TemporaryDirectory(prefix="rig-filter-") as folder:
        out = Path(folder) / "out"
        argv = (*_LIMIT, "gcc", "-E", "-P", "-w", "-nostdinc", "-undef", *(f"-D{word}" for word in given), "-x", "c",
                "-", "-o", str(out))  # fmt: skip
        done = run(argv, data="\n".join([*kept, ""]).encode(), cwd=Path(folder))
        if done.status or not out.is_file():
            said = next((line for line in done.words.splitlines() if "error" in line), "its macros grow without end")
            raise UserError(f"the C preprocessor cannot read it: {one_line(said)}")
        return out.read_text(encoding="utf-8")


def _inside(text: str, begin: int) -> str:
    """What stands between the brace at `begin` and the one that closes it."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, begin):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return text[begin + 1 : match.start()]
    raise UserError("the array has no end")


def _split(text: str) -> Iterator[str]:
    """The parts between commas that no bracket encloses."""
    depth, begin = 0, 0
    for match in re.compile(r"[(){}\[\],]").finditer(text):
        if match[0] == "," and depth == 0:
            yield text[begin : match.start()]
            begin = match.end()
        elif match[0] != ",":
            depth += 1 if match[0] in "({[" else -1
    yield text[begin:]


def _instruction(index: int, row: str, constants: Constants) -> Instruction:
    plain = _CAST.sub("", row).strip().rstrip(";").strip()
    if not (plain.startswith("{") and plain.endswith("}")):
        word = re.match(r"\w+", plain)
        why = f"{quoted(word[0])} is a macro that the file does not define" if word else f"{quoted(plain[:40])}"
        raise UserError(f"instruction {index}: {why}; needed is BPF_STMT, BPF_JUMP or {{ code, jt, jf, k }}")
    values = dict.fromkeys(_NAMES, 0)
    fields = [part.strip() for part in _split(plain[1:-1]) if part.strip()]
    if len(fields) > len(_NAMES):
        raise UserError(f"instruction {index}: has {len(fields)} fields, and struct sock_filter has four")
    for name, field in zip(_NAMES, fields, strict=False):
        named = _FIELD.fullmatch(field)
        where, expression = (named[1], named[2]) if named else (name, field)
        try:
            values[where] = value_of(expression, constants)
        except UserError as error:
            raise UserError(f"instruction {index}: {error}") from None
    if values["k"] < 0 or values["k"] >> 32 == WORD:  # a negative number, of whatever width
        values["k"] &= WORD
    for (name, value), limit in zip(values.items(), _LIMITS, strict=True):
        if not 0 <= value <= limit:
            raise UserError(f"instruction {index}: {name} is {value}, and must be from 0 to {limit:#x}")
    return Instruction(**values)
