# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters as text, in the mnemonics of the kernel's tools/bpf: what `bpf_dbg` prints, `bpf_asm` and this module read.

    l0:     ld [4]
    l1:     jeq #0xc000003e, l2, l4
    l2:     ld [0]
    l3:     jeq #0x27, l5, l4
    l4:     ret #0x50001
    l5:     ret #0x7fff0000

Labels are any words; `jeq #1, yes` alone falls through if the test fails; `jne`, `jlt` and `jle` are `jeq`, `jge` and
`jgt` with their targets exchanged. A comment begins with `;`. A code without a mnemonic is written
`.raw code, jt, jf, k`, which is ours alone, so that every array of instructions has a text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import MAXINSNS, Instruction, Program
from testcases.seccomp.bpf.opcodes import (
    JA,
    JEQ_K,
    JGE_K,
    JGT_K,
    JSET_K,
    LD_ABS,
    LD_IMM,
    LD_LEN,
    LD_MEM,
    LDX_IMM,
    LDX_LEN,
    LDX_MEM,
    NEG,
    RET_A,
    RET_K,
    ST,
    STX,
    TAX,
    TESTS,
    TXA,
    with_constant,
)
from util.errors import UserError

_ALU = {
    "add": bpf.ADD,
    "sub": bpf.SUB,
    "mul": bpf.MUL,
    "div": bpf.DIV,
    "mod": bpf.MOD,
    "or": bpf.OR,
    "and": bpf.AND,
    "xor": bpf.XOR,
    "lsh": bpf.LSH,
    "rsh": bpf.RSH,
}
_HEXADECIMAL = {"or", "and", "xor"}
_TESTS = {"jeq": JEQ_K, "jgt": JGT_K, "jge": JGE_K, "jset": JSET_K}
_EXCHANGED = {"jne": "jeq", "jneq": "jeq", "jlt": "jge", "jle": "jgt"}
_PLAIN = {"tax": TAX, "txa": TXA, "neg": NEG}

_FORMS: tuple[tuple[str, str, int], ...] = (
    ("ld", "[k]", LD_ABS),
    ("ldh", "[k]", bpf.LD | bpf.H | bpf.ABS),
    ("ldb", "[k]", bpf.LD | bpf.B | bpf.ABS),
    ("ld", "[x+k]", bpf.LD | bpf.W | bpf.IND),
    ("ldh", "[x+k]", bpf.LD | bpf.H | bpf.IND),
    ("ldb", "[x+k]", bpf.LD | bpf.B | bpf.IND),
    ("ldxb", "4*([k]&0xf)", bpf.LDX | bpf.B | bpf.MSH),
    ("ld", "#len", LD_LEN),
    ("ldx", "#len", LDX_LEN),
    ("ld", "#k", LD_IMM),
    ("ldx", "#k", LDX_IMM),
    ("ld", "M[k]", LD_MEM),
    ("ldx", "M[k]", LDX_MEM),
    ("st", "M[k]", ST),
    ("stx", "M[k]", STX),
    ("ret", "#k", RET_K),
    ("ret", "a", RET_A),
    *((name, "#k", bpf.ALU | op | bpf.K) for name, op in _ALU.items()),
    *((name, "x", bpf.ALU | op | bpf.X) for name, op in _ALU.items()),
    *((name, "", code) for name, code in _PLAIN.items()),
)
"""Mnemonic, form of the operand (`k` stands for a number) and code of all but jumps."""
_BY_CODE = {code: (name, form) for name, form, code in _FORMS}
_BY_TEXT = {(name, form.lower()): code for name, form, code in _FORMS}
_TEST_NAMES = {code: name for name, code in _TESTS.items()}
_NUMBER = r"0x[0-9a-f]{1,200}|[0-9]{1,200}"
MOST = 4 * MAXINSNS
"""Instructions of a text: enough for one that the kernel refuses for its length."""
_COMMENT = re.compile(r";|/\*|//")
_LABEL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*+)\s*+:\s*+", re.ASCII)
_OPERAND = re.compile(rf"(?P<before>m\[|\[x\+|\[|4\*\(\[|#)?(?P<number>{_NUMBER})(?P<after>\]&0xf\)|\])?$", re.I)


def disassemble(program: Program) -> list[str]:
    """One line for each instruction: `l3: jeq #0x27, l5, l4`. `assemble` gives the same program back."""
    return [f"l{index}: {instruction_text(insn, index)}" for index, insn in enumerate(program)]


def instruction_text(insn: Instruction, index: int) -> str:
    """The instruction that stands at `index`, without its label."""
    code, k = insn.code, insn.k
    if code == JA and (insn.jt, insn.jf) == (0, 0):
        return f"jmp l{index + 1 + k}"
    if code in TESTS and (not code & bpf.X or k == 0):
        operand = "x" if code & bpf.X else f"#{k:#x}"
        return f"{_TEST_NAMES[with_constant(code)]} {operand}, l{index + 1 + insn.jt}, l{index + 1 + insn.jf}"
    name, form = _BY_CODE.get(code, ("", ""))
    if not name or insn.jt or insn.jf or ("k" not in form and k):
        return f".raw {code:#x}, {insn.jt}, {insn.jf}, {k:#x}"
    number = f"{k:#x}" if form == "#k" and (name not in _ALU or name in _HEXADECIMAL or k >> 31) else str(k)
    return f"{name} {form.replace('k', number)}".rstrip()


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    name: str
    operands: tuple[str, ...]


def assemble(text: str) -> Program:
    """The program of `text`. Raises UserError with the line at fault; whether the kernel takes it, see `validate`."""
    labels: dict[str, int] = {}
    lines: list[_Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line:
            continue
        for kind, word in _parts(line, number):
            if kind == "label":
                if word in labels:
                    raise UserError(f"line {number}: label `{word}` stands twice")
                labels[word] = len(lines)
            else:
                name, _, rest = word.partition(" ")
                operands = tuple(re.sub(r"\s+", "", part) for part in rest.split(",")) if rest.strip() else ()
                lines.append(_Line(number, name.lower(), operands))
        if len(lines) > MOST:
            raise UserError(f"line {number}: more than {MOST} instructions; the kernel takes {MAXINSNS}")
    if not lines:
        raise UserError("no instructions in this text")
    return tuple(_instruction(line, index, labels) for index, line in enumerate(lines))


def _parts(line: str, number: int) -> Iterator[tuple[str, str]]:
    rest = _COMMENT.split(line, maxsplit=1)[0].strip().replace("\t", " ")
    begin = 0
    while match := _LABEL.match(rest, begin):
        yield "label", match[1]
        begin = match.end()
    rest = rest[begin:]
    if ":" in rest:
        raise UserError(f"line {number}: `{rest}` is no label and no instruction")
    if rest:
        yield "instruction", rest


def _instruction(line: _Line, index: int, labels: dict[str, int]) -> Instruction:
    name, operands = line.name, line.operands
    if name == ".raw":
        return _raw(line)
    if name in {"jmp", "ja"}:
        if len(operands) != 1:
            raise UserError(f"line {line.number}: `{name}` takes one label")
        return Instruction(JA, k=_skip(line, operands[0], index, labels, bpf.WORD))
    if name in _TESTS or name in _EXCHANGED:
        return _test(line, index, labels)
    operand = ",".join(operands)
    match = _OPERAND.match(operand)
    form = f"{match['before'] or '#'}k{match['after'] or ''}" if match else operand.removeprefix("%")
    code = _BY_TEXT.get((name, "#len" if form in {"len", "#len"} else form.lower()))
    if code is None and name == "ldx" and form.startswith("4*"):
        code = _BY_TEXT["ldxb", form.lower()]
    if code is None:
        known = any(name == known for known, _ in _BY_TEXT)
        raise UserError(
            f"line {line.number}: `{name}` does not take `{operand}`" if known else f"line {line.number}: no `{name}`"
        )
    return Instruction(code, k=_number(line, match["number"]) if match else 0)


def _test(line: _Line, index: int, labels: dict[str, int]) -> Instruction:
    exchanged = line.name in _EXCHANGED
    code = _TESTS[_EXCHANGED.get(line.name, line.name)]
    if len(line.operands) not in ({2} if exchanged else {2, 3}):
        raise UserError(f"line {line.number}: `{line.name}` takes an operand and its labels")
    operand, *targets = line.operands
    skips = [_skip(line, target, index, labels, 0xFF) for target in targets]
    jt, jf = (0, skips[0]) if exchanged else (skips[0], skips[1] if len(skips) == 2 else 0)
    if operand.lower().removeprefix("%") == "x":
        return Instruction(code | bpf.X, jt, jf)
    return Instruction(code, jt, jf, _number(line, operand.removeprefix("#")))


def _skip(line: _Line, target: str, index: int, labels: dict[str, int], limit: int) -> int:
    """How many instructions to jump over. A disassembled jump may lead behind the end, to a label that is not there."""
    behind = re.fullmatch(r"l([0-9]{1,9})", target)
    if target not in labels and not behind:
        raise UserError(f"line {line.number}: no label `{target}`")
    skip = (labels[target] if target in labels or not behind else int(behind[1])) - index - 1
    if not 0 <= skip <= limit:
        raise UserError(f"line {line.number}: `{target}` is {skip} instructions ahead; 0 to {limit} can be jumped over")
    return skip


def _number(line: _Line, text: str) -> int:
    if not re.fullmatch(_NUMBER, text, re.I):
        raise UserError(f"line {line.number}: `{text}` is no number")
    value = int(text, 16 if text.lower().startswith("0x") else 10)
    if value > bpf.WORD:
        raise UserError(f"line {line.number}: {text} has more than 32 bits")
    return value


def _raw(line: _Line) -> Instruction:
    if len(line.operands) != 4:
        raise UserError(f"line {line.number}: `.raw` takes code, jt, jf, k")
    code, jt, jf, k = (_number(line, operand) for operand in line.operands)
    if code > 0xFFFF or max(jt, jf) > 0xFF:
        raise UserError(f"line {line.number}: code has 16 bits, jt and jf 8")
    return Instruction(code, jt, jf, k)
