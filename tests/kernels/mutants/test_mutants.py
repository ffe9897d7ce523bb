# SPDX-License-Identifier: GPL-2.0-or-later
"""The mutator on pieces of C: which faults it makes, and what it leaves alone."""

import subprocess
from pathlib import Path

import pytest

from kernels.mutants.find import interleaved, mutants
from kernels.mutants.functions import functions
from kernels.mutants.mutant import Mutant
from kernels.mutants.schema import SWITCH, fits, schema
from kernels.mutants.tokens import tokens

CHECK = """\
static int check(unsigned int index, unsigned int size)
{
	if (index >= size)
		return -EINVAL;
	return 0;
}
"""


def all_lines(text: str) -> dict[int, int]:
    return dict.fromkeys(range(1, text.count("\n") + 2), 1)


def made(text: str, kind: str = "") -> list[Mutant]:
    return [item for item in mutants("kernel/a.c", text, all_lines(text)) if kind in ("", item.kind)]


def after(text: str, kind: str) -> set[str]:
    """The changed lines that a kind of fault makes, without the blanks in front."""
    return {line[2:] for item in made(text, kind) for line in item.diff if line.startswith("+")}


def body(*lines: str) -> str:
    return "\n".join(("void f(int a, int b, int c)", "{", *(f"\t{line}" for line in lines), "}", ""))


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("comparison", "g(a < b);", {"g(a >= b);"}),
        ("comparison", "g(a == b);", {"g(a != b);"}),
        ("boundary", "g(a < b);", {"g(a <= b);"}),
        ("boundary", "g(a >= b);", {"g(a > b);"}),
        ("boundary", "g(a == b);", set()),
        ("constant", "a = 7;", {"a = 8;", "a = 6;"}),
        ("constant", "a = 0;", {"a = 1;"}),
        ("constant", "a = 0x10UL;", {"a = 17UL;", "a = 15UL;"}),
        ("constant", "a = 010;", {"a = 9;", "a = 7;"}),
        ("constant", "g(true);", {"g(false);"}),
        ("constant", "g(MAX_SIZE);", {"g((MAX_SIZE + 1));", "g((MAX_SIZE - 1));"}),
        ("constant", "g(NULL);", set()),
        ("constant", "g(MAX_SIZE(3.5));", set()),
        ("condition", "if (a) g();", {"if (((a), 0)) g();", "if (((a), 1)) g();"}),
        ("condition", "while (a) g();", {"while (((a), 0)) g();"}),
        ("condition", "switch (a) { }", set()),
        ("condition", "a = b || c ? 4 : 5;", {"a = ((b || c), 0) ? 4 : 5;", "a = ((b || c), 1) ? 4 : 5;"}),
        ("clause", "if (a && g(b, c)) g();", {"if (g(b, c)) g();", "if (a) g();"}),
        ("clause", "a = b == 2 || c;", {"a = c;", "a = b == 2;"}),
        ("logic", "if (a && b) g();", {"if (a || b) g();"}),
        ("negation", "if (!a) g();", {"if (a) g();"}),
        ("negation", "a = b & ~c;", {"a = b & c;"}),
        ("bits", "a = b & c;", {"a = b | c;"}),
        ("bits", "a <<= 1;", {"a >>= 1;"}),
        ("bits", "g(&a, (int *)&b);", set()),
        ("arithmetic", "a = b + c;", {"a = b - c;"}),
        ("arithmetic", "a++;", {"a--;"}),
        ("arithmetic", "a = -b;", set()),
        ("arithmetic", "a = (int)-b;", set()),
        ("arithmetic", "a = *p;", set()),
        ("arithmetic", "a = b * c;", {"a = b / c;"}),
        ("statement", "g(a);", {";"}),
        ("statement", "a = b;", {";"}),
        ("statement", "while (a) break;", {"while (a) ;"}),
        ("statement", "int d = 3;", set()),
        ("statement", "struct foo *d = h(a);", set()),
        ("statement", "foo_t *d = h(a);", set()),
        ("statement", 'pr_info("%d\\n", a);', set()),
        ("statement", "WARN_ON_ONCE(1);", set()),
        ("error", "return -EACCES;", {"return -EPERM;", "return 0;"}),
        ("error", "return -EINVAL;", {"return -EPERM;", "return 0;"}),
        ("return", "g(a);", {"if (1) return; g(a);"}),
    ],
)
def test_each_kind_makes_its_faults_and_no_others(kind: str, line: str, expected: set[str]) -> None:
    assert after(body(line), kind) == expected


@pytest.mark.parametrize(
    "text",
    [
        "#define LIMIT(x) ((x) < 3 ? \\\n\t(x) + 1 : 0)\n",
        "#if A > 3 && B == 2\n#endif\n",
        "struct s { int a[4 + 1]; unsigned b : 3; };\n",
        "enum e { A = 1 << 3, B = A | 2 };\n",
        "static const int table[] = { 1, 2 + 3, -EINVAL };\n",
        "int f(int a[3]);\n",
        "typedef int (*fn)(int a, int b);\n",
        "/* void f(int a) { if (a < 3) return; } */\n",
        "// if (a == 3) {}\n",
        'static const char *const words = "a < b && c == 3";\n',
    ],
)
def test_what_is_no_code_of_a_function_is_left_alone(text: str) -> None:
    assert made(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "/* a < 3 && b */",
        "// a == 3",
        "char buf[16];",
        "int d, e[3 * 4];",
        "DECLARE_BITMAP(seen, 64 + 1);",
        'asm volatile ("mov $1, %0" : "=r" (a) : "i" (3 + 4));',
        "BUILD_BUG_ON(sizeof(a) == 4);",
        "goto out; out:",
        "struct foo d;",
    ],
)
def test_within_a_function_neither_comments_nor_declarations_nor_assembly_change(line: str) -> None:
    kinds = {item.kind for item in made(body(line))}
    assert kinds <= {"statement", "return"}, kinds
    assert not {item.diff for item in made(body(line), "constant")}


def test_strings_and_characters_and_what_is_not_evaluated_stay_as_they_are() -> None:
    text = body("g(\"a < 3 \\\" && b == '\", '<', sizeof(a + 1), offsetof(struct s, b), IS_ENABLED(CONFIG_FOO));")
    assert {item.kind for item in made(text)} == {"statement", "return"}


def test_preprocessor_lines_in_a_function_are_neither_changed_nor_taken_out() -> None:
    text = body("g(a,", "#ifdef FOO", "  b < 3,", "#endif", "  c);")
    assert all("#ifdef FOO\n" in item.text and "#endif\n" in item.text for item in made(text))
    assert not made(text, "statement")
    assert after(text, "comparison") == {"b >= 3,"}


def test_two_heads_of_one_function_are_one_function() -> None:
    heads = "#ifdef A\nint f(int a)\n{\n#else\nint f(long a)\n{\n#endif\n"
    text = f"{heads}\treturn a < 3;\n}}\nint g(int b)\n{{\n\treturn b == 1;\n}}\n"
    assert [item.name for item in functions(text)] == ["f", "g"]
    assert {item.function.name for item in made(text, "comparison")} == {"f", "g"}


def test_only_lines_that_the_series_adds_change() -> None:
    assert {item.line for item in mutants("a.c", CHECK, {3: 2})} == {3}
    assert {item.patch for item in mutants("a.c", CHECK, {3: 2})} == {2}
    two = "int f(int a)\n{\n\tg(a,\n\t  3);\n\treturn a;\n}\n"
    assert [item.kind for item in mutants("a.c", two, {4: 1})] == ["constant", "constant"]


def test_a_lock_goes_with_what_gives_it_back() -> None:
    lines = ("spin_lock_irqsave(&x->lock, flags);", "spin_lock(&y);", "a = b;", "spin_unlock(&y);",
             "spin_unlock_irqrestore(&x->lock, flags);")  # fmt: skip
    diffs = [item.diff for item in made(body(*lines), "lock")]
    assert len(diffs) == 2
    assert [line for line in diffs[0] if line.startswith("-")] == [f"- {lines[0]}", f"- {lines[4]}"]
    assert [line for line in diffs[1] if line.startswith("-")] == [f"- {lines[1]}", f"- {lines[3]}"]
    assert not made(body("rcu_read_lock();", "g(a);"), "lock"), "nothing gives it back"
    assert len(made(body("rcu_read_lock();", "g(a);", "rcu_read_unlock();"), "lock")) == 1


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        ("spin_lock_irqsave(&l, flags)", "spin_unlock_irqrestore(&l, flags)"),
        ("raw_spin_lock_irq(&l)", "raw_spin_unlock_irq(&l)"),
        ("mutex_lock_nested(&l, 1)", "mutex_unlock(&l)"),
        ("read_lock_bh(&l)", "read_unlock_bh(&l)"),
        ("down_write(&l)", "up_write(&l)"),
        ("down(&l)", "up(&l)"),
        ("preempt_disable()", "preempt_enable()"),
        ("local_irq_save(flags)", "local_irq_restore(flags)"),
        ("srcu_read_lock(&l)", "srcu_read_unlock(&l)"),
        ("task_lock(l)", "task_unlock(l)"),
    ],
)
def test_every_sort_of_lock(taken: str, given: str) -> None:
    lines = (f"{taken};", "a = b;", f"{given};")
    (found,) = [item.diff for item in made(body(*lines), "lock")]
    assert [line for line in found if line.startswith("-")] == [f"- {taken};", f"- {given};"]
    assert {"a = b;"} == {line[2:] for item in made(body(*lines), "statement") for line in item.diff if line[0] == "-"}


@pytest.mark.parametrize(
    ("taken", "given", "instead"),
    [
        ("err = down_read_killable(&x->l);", "up_read(&x->l)", "err = 0;"),
        ("err = mutex_lock_interruptible(&l);", "mutex_unlock(&l)", "err = 0;"),
        ("if (!spin_trylock(&l)) return;", "spin_unlock(&l)", "if (!1) return;"),
        ("if (down_trylock(get(l))) return;", "up(get(l))", "if (0) return;"),
        ("if (down_write_killable(&l)) return;", "up_write(&l)", "if (0) return;"),
    ],
)
def test_a_lock_whose_taking_may_fail_seems_to_be_taken(taken: str, given: str, instead: str) -> None:
    (found,) = [item.diff for item in made(body(taken, "g(a);", f"{given};"), "lock")]
    assert f"+ {instead}" in found
    assert f"- {given};" in found
    assert not made(body(taken, "g(a);", "other(&l);"), "lock"), "nothing gives it back"


def test_the_early_return_suits_the_function() -> None:
    assert after(CHECK, "return") == {"if (1) return 0; if (index >= size)"}
    assert after("struct s *f(int a)\n{\n\tint b;\n\n\tfor (;;)\n\t\tg();\n}\n", "return") == {
        "if (1) return 0; for (;;)"
    }


def test_a_function_that_cannot_be_read_makes_no_faults_and_spoils_no_other() -> None:
    text = "int f(int a)\n{\n\tif a < 3 THEN\n\treturn 1;\n}\n" + CHECK
    assert {item.function.name for item in made(text)} == {"check"}


@pytest.mark.parametrize(
    "text", ["", "}", "{{{", "int f(", "int f(int a) {", '"', "'", "/*", "#", "#if\n#else", "f()\\", "\0"]
)
def test_no_text_is_too_odd(text: str) -> None:
    assert made(text) == []
    found = tokens(text)
    assert all(text[item.start : item.end] == item.text for item in found)


def test_the_order_goes_over_all_lines_before_any_gets_a_second_fault() -> None:
    order = [item.line for item in interleaved(made(CHECK))]
    assert sorted(order[:3]) == [3, 4, 5]
    assert len(order) == len(made(CHECK))


def test_names_are_stable_and_different() -> None:
    names = [item.name for item in made(CHECK)]
    assert len(set(names)) == len(names)
    assert names == [item.name for item in made(CHECK)]


PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
static int depth(int n);
static void note(int *seen, const char *what)
{
	if (what[0] == 'x')
		*seen += 2;
}
static int depth(int n)
{
	if (n <= 0)
		return 0;
	return depth(n - 1) + 1;
}
static inline int pick(int (*choose)(int), int values[3])
{
	return choose(values[0]) + values[1];
}
"""
MAIN = """
int rig_mutant;
int main(int argc, char **argv)
{
	int values[3] = { 3, 10, 20 }, seen = 0;

	rig_mutant = atoi(argv[1]);
	note(&seen, "x");
	printf("%d %d %d\\n", depth(4), pick(depth, values), seen);
	return argc != 2;
}
"""


@pytest.mark.slow
def test_behind_the_switch_each_mutant_does_what_it_does_alone(tmp_path: Path) -> None:
    numbered = [(number, item) for number, item in enumerate(made(PROGRAM), 1) if fits(item)]
    assert {item.function.name for _, item in numbered} == {"note", "depth", "pick"}
    together = program(tmp_path / "together", schema(numbered) + MAIN)
    assert said(together, 0) == said(program(tmp_path / "plain", PROGRAM + MAIN), 0) == "4 13 2\n"
    endless = ("boundary", "condition", "comparison", "constant", "arithmetic")
    tried = 0
    for number, item in numbered:
        if item.function.name == "depth" and item.kind in endless:
            continue  # recursion without end
        alone = program(tmp_path / f"alone-{number}", item.text + MAIN)
        assert said(together, number) == said(alone, 0), item.diff
        tried += 1
    assert tried > 10


def program(path: Path, text: str) -> Path:
    source = path.with_suffix(".c")
    source.write_text(text)
    subprocess.run(["gcc", "-w", "-O1", "-o", str(path), str(source)], check=True)
    return path


def said(path: Path, number: int) -> str:
    return subprocess.run([path, str(number)], capture_output=True, text=True, check=True, timeout=10).stdout


@pytest.mark.parametrize(
    "header",
    ["int f(int a, ...)", "int f(int)", "SYSCALL_DEFINE1(f, int, a)", "int f(int a\n#ifdef X\n, int b\n#endif\n)"],
)
def test_a_function_that_its_header_does_not_let_call_stays_out_of_the_switch(header: str) -> None:
    (item,) = made(f"{header}\n{{\n\treturn a < 3;\n}}\n", "comparison")
    assert not fits(item)


def test_the_switch_is_declared_where_it_is_used() -> None:
    text = schema([(7, made(CHECK, "comparison")[0])])
    assert f"extern int {SWITCH};" in text
    assert "case 7: return check__mutant_7(index, size);" in text
    assert "default: return check__mutant_0(index, size);" in text
