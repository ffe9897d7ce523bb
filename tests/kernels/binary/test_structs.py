# SPDX-License-Identifier: GPL-2.0-or-later
"""Which structs does a change of source text touch?"""

import pytest

from kernels.binary.structs import struct_definitions, touched_structs

BEFORE = """\
/* struct not_this { int a; }; */
struct point {
	int x;		/* left to right */
	int y;
};
struct __attribute__((packed)) outer {
	struct inner { char c; } in;
	const char *text;
};
static struct point origin = { 0, 0 };
struct point *find(struct point *from) { return from; }
char *brace = "struct fake {";
"""


class Trees:
    """Two trees as dictionaries from path to text."""

    def __init__(self, before: dict[str, str], after: dict[str, str]) -> None:
        self.trees = {"before": before, "after": after}

    def changed_paths(self, tree_a: str, tree_b: str) -> list[tuple[str, str]]:
        one, other = self.trees[tree_a], self.trees[tree_b]
        return [("M", path) for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path)]

    def blob(self, treeish: str, path: str) -> bytes | None:
        text = self.trees[treeish].get(path)
        return None if text is None else text.encode()


def touched(after: str, path: str = "kernel/a.c", before: str | None = BEFORE) -> dict[str, str]:
    return touched_structs(Trees({path: before} if before is not None else {}, {path: after}), "before", "after")


def test_definitions_are_found_and_nothing_else() -> None:
    assert struct_definitions(BEFORE).keys() == {"point", "outer", "inner"}
    assert struct_definitions(BEFORE)["point"] == ("int x; int y;",)


@pytest.mark.parametrize(
    ("old", "new", "structs"),
    [
        ("int y;", "int y, z;", ["point"]),
        ("char c;", "long c;", ["inner", "outer"]),
        ("left to right", "from the left", []),
        ("{ 0, 0 }", "{ 1, 1 }", []),
        ("\tint x;\t\t", "\tint   x; ", []),
        ("struct point {", "struct pixel {", ["pixel", "point"]),
        ("struct fake {", "struct fame {", []),
    ],
)
def test_a_struct_is_touched_where_its_definition_differs(old: str, new: str, structs: list[str]) -> None:
    assert old in BEFORE
    assert sorted(touched(BEFORE.replace(old, new))) == structs


def test_a_new_file_brings_new_structs() -> None:
    assert touched("struct fresh { int a; };\n", before=None) == {"fresh": "kernel/a.c"}


@pytest.mark.parametrize("path", ["tools/testing/selftests/a.c", "Documentation/a.c", "scripts/a.c", "kernel/a.rst"])
def test_what_is_no_part_of_the_kernel_is_left_out(path: str) -> None:
    assert touched(BEFORE.replace("int y;", "long y;"), path) == {}


def test_a_struct_with_two_bodies_is_touched_by_either() -> None:
    both = "#ifdef A\nstruct s { int a; };\n#else\nstruct s { };\n#endif\n"
    assert touched(both.replace("{ }", "{ char b; }"), before=both) == {"s": "kernel/a.c"}
