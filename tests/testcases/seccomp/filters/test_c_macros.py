# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrays of struct sock_filter in C with BPF_STMT and BPF_JUMP: gcc and the kernel's headers say the same."""

import platform
import random
import subprocess
from pathlib import Path

import pytest

from testcases.seccomp.bpf.instruction import Instruction, from_raw
from testcases.seccomp.filters.filter_file import FilterFile
from testcases.seccomp.filters.formats.c_expression import Constants, value_of
from testcases.seccomp.filters.target import FilterTarget
from tests.seeds import seeds
from util.errors import UserError
from util.paths import ROOT

X86, ARM = FilterTarget("x86_64"), FilterTarget("aarch64")
CASE = Path(__file__).parent / "filter_cases" / "macros.c"
PROGRAM = """
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
{text}
int main(void)
{{
	return fwrite({name}, sizeof({name}), 1, stdout) != 1;
}}
"""


def read(text: str, target: FilterTarget = X86, name: str = "filter.c") -> tuple[Instruction, ...]:
    (made,) = FilterFile(Path(name), text.encode()).made(target)
    return made.program


def compiled(text: str, name: str, folder: Path) -> tuple[Instruction, ...]:
    """What gcc makes of the array, with the headers of this machine."""
    source, program = folder / "filter.c", folder / "filter"
    source.write_text(PROGRAM.format(text=text, name=name))
    subprocess.run(["gcc", "-w", "-o", str(program), str(source)], check=True)
    return from_raw(subprocess.run([str(program)], check=True, capture_output=True).stdout)


def global_array(text: str) -> str:
    """The case's text with its array outside of a function, so that another function can write it."""
    kept = [line for line in text.splitlines() if not line.startswith('#include "')]
    body = "\n".join(kept).replace("static int install(void)\n{", "").replace("\treturn 0;\n}", "")
    return body.replace("struct sock_filter", "static struct sock_filter", 1)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the headers of this machine are another architecture's")
def test_gcc_says_the_same(tmp_path: Path) -> None:
    text = CASE.read_text()
    found = read(text)
    assert len(found) == 15 and found == compiled(global_array(text), "filter", tmp_path)
    odd = """
    #define NR offsetof(struct seccomp_data, nr)
    #if !defined(SECCOMP_RET_KILL_PROCESS) || defined(__NR_sigreturn)
    #error
    #endif
    #define two(a, b) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (a)), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0, 1, (b) >> 1)
    struct sock_filter odd[] = {
        two(NR, 6), /* a comment, { with a brace */
        [2] = BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(0x7fU | 1UL << 31)),
        BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, -1, 010, (SYS_read + 3) % 2), { 0x6, 0, 0, SECCOMP_RET_LOG, },
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), { .k = 7, .code = BPF_ALU | BPF_RSH, .jf = 2 },
        BPF_STMT(BPF_MISC | BPF_TAX, AUDIT_ARCH_PPC64LE ^ AUDIT_ARCH_S390X ^ AUDIT_ARCH_RISCV64 ^ AUDIT_ARCH_MIPSEL64),
    };
    """
    assert read(odd.replace("[2] = ", "")) == compiled(odd, "odd", tmp_path)


def test_each_architecture_reads_its_own_branch_and_numbers() -> None:
    text = CASE.read_text()
    assert [insn.k for insn in read(text)][1:6:4] == [0xC000003E, 0x7FFF0000]
    assert read(text, ARM)[1].k == 0xC00000B7
    assert [insn.k for insn in read(text) if insn.code == 0x15] == [0xC000003E, 15, 2, 231]
    assert [insn.k for insn in read(text, ARM) if insn.code == 0x15] == [0xC00000B7, 139, 94], "arm64 has no open"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the headers of this machine are another architecture's")
def test_the_filters_of_the_rig_in_c() -> None:
    text = (ROOT / "testcases" / "seccomp" / "attach" / "attach.c").read_text()
    assert len(read(text)) == 4 and read(text)[-1].k == 0x7FFF0000


def test_bare_rows_and_arrays_by_name() -> None:
    rows = "BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),\nBPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)"
    assert read(rows, name="-") == (Instruction(0x20), Instruction(6, 0, 0, 0x7FFF0000))
    assert read(f"{{ {rows} }}"[1:-1]) == read(rows)
    two = f"struct sock_filter a[] = {{ {rows} }};\nstatic const struct sock_filter b[1] = {{ BPF_STMT(6, 5) }};"
    with pytest.raises(UserError, match="holds the arrays a, b; choose one with --part"):
        read(two)
    assert read(two, FilterTarget("x86_64", part="b")) == (Instruction(6, 0, 0, 5),)
    with pytest.raises(UserError, match=r"no array .c. of struct sock_filter"):
        read(two, FilterTarget("x86_64", part="c"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("ALLOW(read), BPF_STMT(6, 0)", "instruction 0: .ALLOW. is a macro that the file does not define"),
        ("BPF_STMT(BPF_LD, arch)", "instruction 0: .arch. is no constant that the rig knows"),
        ("BPF_JUMP(BPF_JMP, 0, 256, 0)", "jt is 256, and must be from 0 to 0xff"),
        ("BPF_JUMP(BPF_JMP, 0, LABEL(&l), 0)", "instruction 0: .*LABEL.*"),
        ("BPF_STMT(6, 1UL << 32)", "k is 4294967296"),
        ("BPF_STMT(6, 1 << 4000000)", "shifts a number of 32 bits by 4000000"),
        ("BPF_STMT(6, __NR_nonsense)", "x86_64 has no system call .nonsense."),
        ("BPF_STMT(6, offsetof(struct seccomp_data, args[6]))", "struct seccomp_data has no"),
        ("BPF_STMT(6, offsetof(struct pt_regs, ax))", "no constant expression"),
        ("BPF_STMT(6, (0)", "no constant|cannot read|needed is"),
        ("BPF_STMT(6, __import__('os'))", "instruction 0"),
        ("BPF_STMT(6, " + "(" * 900 + "1" + ")" * 900 + ")", "no constant expression"),
        ("{1, 2, 3, 4, 5}, BPF_STMT(6, 0)", "has 5 fields"),
        ("#if 1\nBPF_STMT(6, 0)", "the C preprocessor cannot read it"),
        ("#define A(x) x x x x x x x x\n#define B(x) A(A(A(A(x))))\nBPF_STMT(6, B(B(B(1))))", "cannot read it"),
    ],
)
def test_what_is_no_constant_is_refused_by_name(rows: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read(rows)


@pytest.mark.parametrize("line", ["#include", "# include", "%:include", "/**/#include", "#inc\\\nlude", "??=include"])
def test_no_file_of_the_machine_is_read(line: str, tmp_path: Path) -> None:
    other = tmp_path / "secret.h"
    other.write_text("#define SECRET 7\n")
    with pytest.raises(UserError, match=r"SECRET|cannot read"):
        read(f'{line} "{other}"\nBPF_STMT(6, SECRET)')


def test_expressions() -> None:
    constants = Constants("x86_64")
    for text, value in (
        ("010", 8), ("0x10UL", 16), ("(__u32) -1", 0xFFFFFFFF), ("7 / 2", 3), ("MAP_FIXED | O_WRONLY", 17),
        ("-7 / 2", -3), ("-7 % 4", -3), ("~0U >> 1", 0x7FFFFFFF), ("-1U / 2", 0x7FFFFFFF), ("(uint8_t) 0x1ff", 0xFF),
        ("-(__u8) ~0 >> 1", -128), ("~SECCOMP_RET_DATA >> 16", 0xFFFF), ("sizeof(int) - 5 > 0 ? 1 : 0", None),
        ("1 << 32", None), ("1 << -1", None), ("1_000", None), ("True", None), ("(long short) 1", None),
        ("1 / 0", None), ("0x10000000000000000", None), ("rig_type_u8 ** 1", None), ("rig_type_u8", None),
        ("2 ** 3", None), ("08", None),
    ):  # fmt: skip
        if value is None:
            with pytest.raises(UserError):
                value_of(text, constants)
        else:
            assert value_of(text, constants) == value, text


_TYPES = ("__u8", "int8_t", "unsigned short", "int", "__u32", "unsigned", "long", "unsigned long long", "size_t")
_LEAVES = ("0", "1", "7", "-1", "0x80000000", "4294967295", "2147483648", "0xffffffffU", "5UL", "010", "~0ULL",
           "sizeof(long)", "sizeof(unsigned short)", "0x7fffffffffffffff", "0xffffffffffffffff")  # fmt: skip


def _expression(chance: random.Random, depth: int) -> str:
    """One that any type may come to; nothing in it is divided by or shifted by what is made up."""
    if depth == 0:
        return chance.choice(_LEAVES)
    inner = _expression(chance, depth - 1)
    match chance.randrange(5):
        case 0:
            return f"({chance.choice(_TYPES)}) {chance.choice('-~+ ')}({inner})"
        case 1:
            return f"{chance.choice('-~')} {chance.choice(_LEAVES)} {chance.choice('+-*&|^')} {inner}"
        case 2:
            return f"({inner}) {chance.choice(('>>', '<<'))} {chance.randrange(31)}"
        case 3:
            return f"({inner}) {chance.choice('/%')} {chance.choice(('3', '7U', '-5', '9L', '11UL'))}"
        case _:
            return f"({inner}) {chance.choice('+-*&|^')} ({_expression(chance, depth - 1)})"


@pytest.mark.parametrize("seed", seeds(3))
def test_expressions_are_what_a_compiler_makes_of_them(tmp_path: Path, seed: int) -> None:
    chance, constants = random.Random(seed), Constants("x86_64")
    texts = [_expression(chance, chance.randrange(5)) for _ in range(400)]
    rows = "".join(f"\t{{ (unsigned long long)({text}), ({text}) < 0 }},\n" for text in texts)
    source = f"""#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
static const struct {{ unsigned long long value; int negative; }} rows[] = {{
{rows}}};
int main(void)
{{
\tfor (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
\t\tprintf("%d %llu\\n", rows[i].negative, rows[i].value);
}}
"""
    (tmp_path / "all.c").write_text(source)
    subprocess.run(["gcc", "-w", "-o", tmp_path / "all", tmp_path / "all.c"], check=True)
    said = subprocess.run([tmp_path / "all"], capture_output=True, text=True, check=True).stdout.splitlines()
    for text, line in zip(texts, said, strict=True):
        negative, value = map(int, line.split())
        assert value_of(text, constants) == value - (negative << 64), text
