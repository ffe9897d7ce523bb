# SPDX-License-Identifier: GPL-2.0-or-later
"""Valid filters and stacks from a seed, biased to where a cache of always-allowed numbers can go wrong.

Everything comes from one `random.Random`; the same seed gives the same stack on every machine and Python.
"""

from dataclasses import dataclass
from random import Random

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf import opcodes
from testcases.seccomp.bpf.instruction import MEMWORDS, Instruction, Program, Stack
from testcases.seccomp.bpf.opcodes import (
    AND_K,
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
    TXA,
)
from testcases.seccomp.bpf.seccomp_data import ARCH, ARGS, NR, RET_ALLOW, SIZE
from testcases.seccomp.bpf.validate import attached, refusal
from testcases.seccomp.fuzz.values import arch_value, number, operand, return_value

REACH = 255
"""How far a conditional jump leads."""


@dataclass(frozen=True, slots=True)
class Size:
    """How big: the most filters of a stack and the most instructions of a filter's body."""

    filters: int = 4
    body: int = 40


DEFAULT = Size()


def random_stack(seed: int, size: Size = DEFAULT, arch: int = 0) -> Stack:
    """The stack of this seed: every filter of it can be attached, in order. Most tests of the architecture are of
    `arch`, an audit architecture; absent, of one that the seed draws."""
    rng = Random(seed)
    home = arch or arch_value(rng)
    count = 1 if rng.random() < 0.5 else rng.randint(2, max(2, size.filters))
    stack = [random_program(rng, size.body, home)]
    while len(stack) < count:
        stack.append(_follower(rng, stack[-1], size.body, home))
    return attached(tuple(stack))


def _follower(rng: Random, before: Program, body: int, home: int) -> Program:
    """A further filter: the same again, the same but looser or stricter at its returns, or any other."""
    kind = rng.randrange(4)
    if kind == 0:
        return before
    if kind == 1:
        looser = rng.random() < 0.5
        return tuple(
            Instruction(RET_K, k=RET_ALLOW if looser else return_value(rng))
            if insn.code == RET_K and rng.random() < 0.4
            else insn
            for insn in before
        )
    return random_program(rng, body, home)


def random_program(rng: Random, body: int = 40, home: int = 0) -> Program:
    """One valid filter of a style drawn first: like a libseccomp list, a tree, a maze of tests, or with arithmetic.
    Most of its tests of the architecture are of `home`, if that is given."""
    style = rng.choice((_listed, _tree, _maze, _maze, _arithmetic))
    for _ in range(20):
        program = style(rng, body, home)
        if refusal(program) is None:
            return program
    return (Instruction(RET_K, k=return_value(rng)),)


def _listed(rng: Random, body: int, home: int) -> Program:
    """Architecture first, last, twice or never; then numbers one by one, some with a rule on an argument."""
    when = rng.choice(("first", "first", "late", "twice", "never"))
    default, other = _two_values(rng)
    code: list[Instruction] = []
    if when in {"first", "twice"}:
        code += _arch_check(rng, home)
    code.append(Instruction(LD_ABS, k=NR))
    if rng.random() < 0.5:
        code += [_bit30(rng), Instruction(RET_K, k=return_value(rng))]
    for _ in range(rng.randint(1, max(1, body // 2))):
        test = Instruction(rng.choice((JEQ_K, JEQ_K, JEQ_K, JGE_K, JGT_K)), 0, 1, number(rng))
        if rng.random() < 0.35:
            rule = _argument_rule(rng, other)
            code += [Instruction(test.code, 0, len(rule), test.k), *rule]
        else:
            code += [test, Instruction(RET_K, k=other if rng.random() < 0.8 else return_value(rng))]
    if when in {"late", "twice"}:
        code += _arch_check(rng, home)
    return (*code, Instruction(RET_K, k=default))


def _two_values(rng: Random) -> tuple[int, int]:
    """What most numbers get and what the others do; one of the two is nearly always ALLOW."""
    pair = [RET_ALLOW if rng.random() < 0.9 else return_value(rng), return_value(rng)]
    while pair[1] == pair[0]:
        pair[1] = return_value(rng)
    rng.shuffle(pair)
    return pair[0], pair[1]


def _arch_check(rng: Random, home: int) -> list[Instruction]:
    good = rng.random() < 0.8
    test = Instruction(JEQ_K, 1 if good else 0, 0 if good else 1, arch_value(rng, home))
    return [Instruction(LD_ABS, k=ARCH), test, Instruction(RET_K, k=return_value(rng)), Instruction(LD_ABS, k=NR)]


def _bit30(rng: Random) -> Instruction:
    """The ways in which real filters tell x32: `jge`, `jset`, and `jgt` of the last number without the bit; the
    instruction behind it is what happens to one variant."""
    code, k = rng.choice(((JGE_K, 1 << 30), (JSET_K, 1 << 30), (JGT_K, (1 << 30) - 1), (JSET_K, 1 << 31)))
    return Instruction(code, 0, 1, k) if rng.random() < 0.8 else Instruction(code, 1, 0, k)


def _argument_rule(rng: Random, value: int) -> list[Instruction]:
    """A test of an argument's halves, and back to the number: seven or eight instructions that fall out at the end."""
    offset = ARGS + 8 * rng.randrange(6)
    high = [Instruction(LD_ABS, k=offset + 4), Instruction(JEQ_K, 0, 3, rng.choice((0, 0, operand(rng))))]
    masks = [Instruction(AND_K, k=operand(rng))] if rng.random() < 0.3 else []
    if masks:
        high[1] = Instruction(JEQ_K, 0, 4, high[1].k)
    low = [Instruction(LD_ABS, k=offset), *masks]
    test = Instruction(rng.choice((JEQ_K, JGE_K, JGT_K, JSET_K)), 0, 1, operand(rng))
    return [*high, *low, test, Instruction(RET_K, k=value), Instruction(LD_ABS, k=NR)]


def _tree(rng: Random, body: int, home: int) -> Program:
    """A binary tree over sorted numbers, as libseccomp's optimisation level 2 writes it."""
    sought = sorted({number(rng) for _ in range(rng.randint(1, max(1, body // 3)))})
    values = [*_two_values(rng), RET_ALLOW]
    head = [*_arch_check(rng, home), Instruction(LD_ABS, k=NR)] if rng.random() < 0.7 else [Instruction(LD_ABS, k=NR)]

    def grow(part: list[int]) -> list[Instruction]:
        if len(part) <= 2:
            leaves: list[Instruction] = []
            for k in part:
                then = _argument_rule(rng, values[1])[:-1] if rng.random() < 0.2 else []
                then.append(Instruction(RET_K, k=rng.choice(values)))
                leaves += [Instruction(JEQ_K, 0, len(then), k), *then]
            return [*leaves, Instruction(RET_K, k=values[0])]
        middle = len(part) // 2
        below, above = grow(part[:middle]), grow(part[middle:])
        if len(above) > REACH:
            return [Instruction(JGE_K, 0, 1, part[middle]), Instruction(JA, k=len(below)), *below, *above]
        return [Instruction(JGE_K, 0, len(above), part[middle]), *above, *below]

    return (*head, *grow(sought))


def _maze(rng: Random, body: int, home: int) -> Program:
    """Loads and tests with jumps to any place ahead, most of them over number and architecture alone."""
    length = rng.randint(1, max(1, body))
    values = [*_two_values(rng), *(return_value(rng) for _ in range(rng.randrange(3)))]
    returns = len(values)
    far = rng.random() < 0.3
    code: list[Instruction] = []
    for index in range(length):
        ahead = length + returns - index - 2
        roll = rng.random()
        if code and code[-1].code == LD_ABS and code[-1].k > ARCH:
            roll = 1.0  # what was read of an argument is tested
        if roll < 0.25 and not (index == 0 and rng.random() < 0.3):
            code.append(Instruction(LD_ABS, k=_offset(rng)))
        elif roll < 0.35:
            code.append(Instruction(AND_K, k=operand(rng)))
        elif roll < 0.4:
            code.append(Instruction(JA, k=rng.randint(0, ahead if far else min(ahead, 5))))
        else:
            test = rng.choice((JEQ_K, JEQ_K, JGE_K, JGT_K, JSET_K))
            limit = min(REACH, ahead) if far else min(6, ahead)
            k = number(rng) if rng.random() < 0.7 else rng.choice((operand(rng), arch_value(rng, home)))
            code.append(Instruction(test, rng.randint(0, limit), rng.randint(0, limit), k))
    return (*code, *(Instruction(RET_K, k=value) for value in values))


def _offset(rng: Random) -> int:
    return rng.choice((NR, NR, NR, ARCH)) if rng.random() < 0.7 else 4 * rng.randrange(SIZE // 4)


def _arithmetic(rng: Random, body: int, home: int) -> Program:
    """X, scratch memory and arithmetic between the tests; reads only scratch words that are written on every way."""
    length = rng.randint(2, max(2, body))
    prologue = [Instruction(rng.choice((ST, STX)), k=word) for word in range(rng.randint(0, 4))]
    words = len(prologue)
    code: list[Instruction] = []
    for index in range(length):
        ahead = length + 4 - index - 2
        roll = rng.random()
        if roll < 0.25:
            code.append(Instruction(LD_ABS, k=_offset(rng)))
        elif roll < 0.5:
            test = rng.choice(sorted(opcodes.TESTS))
            k = 0 if test & bpf.X else rng.choice((number(rng), operand(rng), arch_value(rng, home)))
            code.append(Instruction(test, rng.randint(0, min(5, ahead)), rng.randint(0, min(5, ahead)), k))
        else:
            code.append(plain_instruction(rng, words))
    returns = [Instruction(RET_K, k=return_value(rng)) for _ in range(4)]
    if rng.random() < 0.2:
        returns[rng.randrange(4)] = Instruction(RET_A)
    return (*prologue, *code, *returns)


def plain_instruction(rng: Random, words: int) -> Instruction:
    """Any instruction that does not jump; scratch words below `words` may be read."""
    codes = [LD_IMM, LDX_IMM, LD_LEN, LDX_LEN, TAX, TXA, NEG, ST, STX, *sorted(opcodes.ALU_K), *sorted(opcodes.ALU_X)]
    if words:
        codes += [LD_MEM, LDX_MEM] * 3
    code = rng.choice(codes)
    if code in opcodes.SCRATCH:
        return Instruction(code, k=rng.randrange(words if code in {LD_MEM, LDX_MEM} else MEMWORDS))
    if code in {opcodes.LSH_K, opcodes.RSH_K}:
        return Instruction(code, k=rng.randrange(32))
    if code == opcodes.DIV_K:
        return Instruction(code, k=operand(rng) or 1)
    if code in opcodes.ALU_K or code in {LD_IMM, LDX_IMM}:
        return Instruction(code, k=rng.choice((number(rng), operand(rng))))
    return Instruction(code)
