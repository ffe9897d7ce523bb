# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines with code, lines that a configuration leaves out, and what gcov's answer comes to."""

from pathlib import Path

import pytest

from kernels.coverage.code_lines import code_lines, left_out
from kernels.coverage.gcov import counters_of, counts, left_of
from kernels.coverage.instrument import counting_tree
from kernels.source.store import Store
from tests.faketree import commit, git

FILE = """\
/* a comment */
#include <linux/kernel.h>

struct s {
	int a;
};

int f(int a)
{
	int b;

	if (a)
		return 3;
#ifdef CONFIG_FOO
	return 4;
#else
	g(a,
		b);
#endif
}
"""


def test_code_is_what_stands_in_a_function_and_is_no_brace() -> None:
    assert code_lines(FILE) == {10, 12, 13, 15, 17, 18}


def test_a_branch_of_which_nothing_is_active_is_left_out() -> None:
    assert left_out(FILE, {8, 10, 12, 13, 17}) == {15}
    assert left_out(FILE, {8, 10, 12, 13, 15}) == {17, 18}
    assert left_out(FILE, set()) == {15, 17, 18}


def test_a_branch_in_a_branch_counts_by_itself() -> None:
    text = "#if A\nint a;\n#if B\nint b;\n#elif C\nint c;\n#endif\nint d;\n#endif\n"
    assert left_out(text, {2, 6}) == {4}
    assert left_out(text, {2, 4}) == {6}


def test_the_preprocessors_lines_are_told_by_its_markers() -> None:
    text = '# 1 "/src/kernel/a.c"\n\nint a;\n# 1 "/src/include/b.h" 1\nint b;\n# 9 "/src/kernel/a.c" 2\nint c;\n'
    assert list(left_of(text, "kernel/a.c")) == [2, 9]
    assert list(left_of(text, "include/b.h")) == [1]


def test_a_line_of_several_functions_counts_for_all_of_them() -> None:
    lines = [{"line_number": 3, "count": 2}, {"line_number": 3, "count": 5}, {"line_number": 4, "count": 0}]
    answer = {"files": [{"file": "/src/kernel/a.c", "lines": lines}, {"file": "./include/g.h", "lines": []}]}
    assert counts(answer) == {"kernel/a.c": {3: 7, 4: 0}, "include/g.h": {}}


def test_the_counters_stand_where_the_kernel_was_compiled() -> None:
    assert counters_of("kernel/fork.o") == "/sys/kernel/debug/gcov/out/kernel/fork.gcda"


@pytest.mark.parametrize(
    ("target", "makefile", "lines"),
    [
        ("kernel/a.o", "kernel/Makefile", ["GCOV_PROFILE_a.o := y", "CFLAGS_a.o += -fno-early-inlining"]),
        (
            "mm/kasan/b.o",
            "mm/Kbuild",
            [
                f"{word} {flag}"
                for name in ("kasan/b.o", "b.o")
                for word, flag in ((f"GCOV_PROFILE_{name}", ":= y"), (f"CFLAGS_{name}", "+= -fno-early-inlining"))
            ],
        ),
    ],
)
def test_one_object_counts_and_no_other(tmp_path: Path, target: str, makefile: str, lines: list[str]) -> None:
    tree = tmp_path / "linux"
    tree.mkdir()
    git(tree, "init", "--quiet", "--initial-branch=main")
    files = {"kernel/Makefile": "obj-y := a.o", "mm/Makefile": "obj-y := no", "mm/Kbuild": "obj-y := kasan/b.o\n",
             "mm/kasan/b.c": "int b;\n", "Makefile": "all:\n"}  # fmt: skip
    commit(tree, "a tree", files)
    store = Store(tmp_path / "store")
    store.git("fetch", "--quiet", str(tree), "main")
    made = counting_tree(store, store.tree_of("FETCH_HEAD"), [target, "nowhere/c.o"])[1]
    text = (store.blob(made, makefile) or b"").decode()
    assert text.splitlines() == [files[makefile].rstrip(), *lines]
    assert [path for _status, path in store.changed_paths(store.tree_of("FETCH_HEAD"), made)] == [makefile]
