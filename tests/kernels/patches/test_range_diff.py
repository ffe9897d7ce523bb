# SPDX-License-Identifier: GPL-2.0-or-later
"""Which patch of a revision became which: git's own answer, patch-ids, and subjects."""

from pathlib import Path

import pytest

from kernels.patches.patch import Patch
from kernels.patches.range_diff import AppliedRevision, PatchChange, PatchPair, by_patch_id, parse, range_diff
from kernels.source.store import Store
from tests.faketree import commit, git
from util.stop import Stop

SAID = """\
1:  0b182f0aab7f = 1:  0b182f0aab7f x86: describe the tables
2:  a453bbe00914 ! 2:  f3848f3dc1aa arm64: describe the tables
    @@ kernel/one.c: int one(void)
       int a;
    -+ a = 1;
    ++ a = 2;
3:  4440d4017eee < -:  ------------ an old one
-:  ------------ > 3:  36b1f90feabc 4: a subject with a number
10:  4440d4017eee = 10:  4440d4017eee the tenth
"""


def patch(number: int, patch_id: str, subject: str = "") -> Patch:
    return Patch(number, subject or f"patch {number}", "", patch_id, "A <a@example.org>", b"", ("a.c",))


def numbers(pairs: tuple[PatchPair, ...]) -> list[tuple[int, int, str]]:
    return [(pair.before, pair.after, pair.change.value) for pair in pairs]


def test_what_git_prints_is_read() -> None:
    pairs = parse(SAID)
    assert numbers(pairs) == [
        (1, 1, "same"), (2, 2, "changed"), (3, 0, "dropped"), (0, 3, "new"), (10, 10, "same")
    ]  # fmt: skip
    assert pairs[1].diff == ("@@ kernel/one.c: int one(void)", "   int a;", "-+ a = 1;", "++ a = 2;")
    assert pairs[3].subject == "4: a subject with a number"
    assert parse("") == ()


@pytest.mark.parametrize(
    ("git_pairs", "before", "after", "wanted"),
    [
        pytest.param([(1, 1, PatchChange.CHANGED)], "a", "a", [(1, 1, "text")], id="one diff, another message"),
        pytest.param([(1, 1, PatchChange.SAME)], "a", "a", [(1, 1, "same")], id="the same"),
        pytest.param([(1, 1, PatchChange.CHANGED)], "a", "b", [(1, 1, "changed")], id="git alone"),
        pytest.param(
            [(1, 2, PatchChange.CHANGED), (2, 1, PatchChange.CHANGED)], "ab", "ab", [(1, 1, "text"), (2, 2, "text")],
            id="git crossed them",
        ),
        pytest.param(
            [(1, 1, PatchChange.CHANGED), (2, 2, PatchChange.SAME)], "ab", "bc",
            [(2, 1, "text"), (1, 0, "dropped"), (0, 2, "new")],
            id="git paired one of an equal pair with another",
        ),
        pytest.param([], "ab", "bc", [(1, 0, "dropped"), (2, 1, "text"), (0, 2, "new")], id="without git"),
        pytest.param([], "aa", "a", [(1, 1, "text"), (2, 0, "dropped")], id="one patch-id twice"),
    ],
)  # fmt: skip
def test_patch_ids_decide_before_git(
    git_pairs: list[tuple[int, int, PatchChange]], before: str, after: str, wanted: list[tuple[int, int, str]]
) -> None:
    pairs = [PatchPair(old, new, change, "s") for old, new, change in git_pairs]
    olds, news = ([patch(at, name) for at, name in enumerate(names, 1)] for names in (before, after))
    assert sorted(numbers(by_patch_id(pairs, olds, news))) == sorted(wanted)


def test_real_git_and_a_short_patch_that_changed(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    tree = tmp_path / "tree"
    tree.mkdir()
    git(tree, "init", "--quiet", "--initial-branch=main")
    commit(tree, "start", {"one.c": "1\n", "two.c": "2\n"})
    for branch, text, extra in (("old", "10\n", "gone"), ("new", "20\n", "fresh")):
        git(tree, "checkout", "--quiet", "-B", branch, "main")
        commit(tree, "two: make it larger", {"two.c": "a\nb\nc\nd\n"})
        commit(tree, "one: a larger number", {"one.c": text})
        commit(tree, f"{extra}: a file", {f"{extra}.c": f"{extra}\n"})
    git(tree, "push", "--quiet", str(store.git_dir), "main", "old", "new")
    heads = {name: git(tree, "rev-parse", name).strip() for name in ("main", "old", "new")}
    olds, news = ([patch(1, "same"), patch(2, x), patch(3, f"{x}-3")] for x in "xy")
    pairs = range_diff(
        store,
        AppliedRevision(olds, heads["main"], heads["old"]),
        AppliedRevision(news, heads["main"], heads["new"]),
        Stop(),
    )
    assert numbers(pairs) == [(1, 1, "same"), (3, 0, "dropped"), (2, 2, "changed"), (0, 3, "new")]
    assert {"-+10", "++20"} <= set(next(pair.diff for pair in pairs if pair.change is PatchChange.CHANGED))
