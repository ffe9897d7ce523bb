# SPDX-License-Identifier: GPL-2.0-or-later
"""checkpatch on patches: a script of ours in place of the tree's, and the real one on our own series."""

from pathlib import Path

import pytest

from kernels.patches.checkpatch import SCRIPT, CheckpatchLine, checkpatch, mail_places
from kernels.patches.patch import Patch
from kernels.source.resolve import resolve_source
from kernels.source.store import Store
from kernels.source.worktree import worktree
from tests.command import USER, results, rig
from util.errors import MachineError
from util.events import silent
from util.stop import Stop

COMPLAINING = r"""
for my $file (grep { !/^--/ } @ARGV) {
	open(my $mail, '<', $file) or die;
	while (<$mail>) {
		print "$file:$.: ERROR:TRAILING_WHITESPACE: trailing whitespace\n" if / $/;
		print "$file:$.: CHECK:SPACING: no: spaces\n" if /\t\t/;
	}
}
exit 1;
"""


def patch(number: int, mail: str) -> Patch:
    return Patch(number, f"patch {number}", "", "", "A <a@example.org>", mail.encode(), ("a.c",))


def tree(folder: Path, script: str) -> Path:
    path = folder / "tree" / SCRIPT
    path.parent.mkdir(parents=True)
    path.write_text(script)
    return folder / "tree"


def test_each_patch_gets_its_own_complaints(tmp_path: Path) -> None:
    patches = [patch(1, "fine\n"), patch(2, "one\nblank \ntwo\t\ttabs\n"), patch(3, "blank \n")]
    checked = checkpatch(patches, tree(tmp_path, COMPLAINING), Stop())
    assert checked is not None
    assert [item.patch.number for item in checked] == [1, 2, 3]
    assert checked[0].complaints == ()
    assert checked[1].complaints == (
        CheckpatchLine("ERROR", 2, "TRAILING_WHITESPACE: trailing whitespace"),
        CheckpatchLine("CHECK", 3, "SPACING: no: spaces"),
    )
    assert [item.count("ERROR") for item in checked] == [0, 1, 1]


def test_a_tree_without_the_script_says_nothing(tmp_path: Path) -> None:
    assert checkpatch([patch(1, "fine\n")], tmp_path, Stop()) is None


def test_a_script_that_fails_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"checkpatch\.pl ended with status 2: cannot go on"):
        checkpatch([patch(1, "fine\n")], tree(tmp_path, 'print "cannot go on\\n"; exit 2;\n'), Stop())


def test_the_script_is_not_asked_what_it_cannot_know(tmp_path: Path) -> None:
    """It sees no repository: every right `Fixes:` tag would name an unknown commit."""
    told = 'print "0.patch:1: ERROR:ARGUMENTS: @ARGV\\n"; exit 1;\n'
    (checked,) = checkpatch([patch(1, "fine\n")], tree(tmp_path, told), Stop()) or []
    (complaint,) = checked.complaints
    assert "--ignore=UNKNOWN_COMMIT_ID,FILE_PATH_CHANGES" in complaint.text


def test_what_a_complaint_quotes_does_not_reach_the_terminal(tmp_path: Path) -> None:
    told = 'print "0.patch:1: ERROR:QUOTED: \\e[2Jgone\\n"; exit 1;\n'
    (checked,) = checkpatch([patch(1, "fine\n")], tree(tmp_path, told), Stop()) or []
    assert checked.complaints[0].text == "QUOTED: \\x1b[2Jgone"


FIXES = """From: A <a@example.org>
Date: Sat, 2 Jan 2021 03:04:05 +0000
Subject: [PATCH] seccomp: Mend what it broke

A reason of more than a few words, so that nothing else is missing.

Fixes: 8a1ca8cedd10 ("perf_counter: Rename perf event types")
Signed-off-by: A <a@example.org>
---
diff --git a/kernel/seccomp_x.h b/kernel/seccomp_x.h
new file mode 100644
index 0000000..1111111
--- /dev/null
+++ b/kernel/seccomp_x.h
@@ -0,0 +1,2 @@
+/* SPDX-License-Identifier: GPL-2.0 */
+struct seccomp_x;
"""


@pytest.mark.real
@pytest.mark.timeout(900)
def test_a_right_fixes_tag_is_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real script of 5.10 complains of the tag and of the new file unless it is told not to."""
    monkeypatch.setenv("HOME", USER["HOME"])
    store = Store()
    source = resolve_source("debian:linux-source-5.10", store, silent, Stop())
    with worktree(store, source.commit, silent, Stop()) as checkout:
        (checked,) = checkpatch([patch(1, FIXES)], checkout, Stop()) or []
        assert checked.complaints == ()
        monkeypatch.setattr(
            "kernels.patches.checkpatch._OPTIONS", ("--strict", "--terse", "--show-types", "--no-summary")
        )
        (checked,) = checkpatch([patch(1, FIXES)], checkout, Stop()) or []
        types = {complaint.text.partition(":")[0] for complaint in checked.complaints}
        assert types == {"UNKNOWN_COMMIT_ID", "FILE_PATH_CHANGES"}


@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize("profile", ["seccomp-cache", "seccomp-cache-revert"])
def test_our_own_series_give_no_reason_to_complain(tmp_path: Path, profile: str) -> None:
    finished = rig("check", "--profile", profile, "--suite", "checkpatch", "--out", str(tmp_path))
    assert finished.returncode == 0, finished.stderr
    run = results(tmp_path)
    (judged,) = [cell for cell in run.cells if cell.cell.variant == "patched"]
    assert run.series is not None
    assert len(judged.tests) == len(run.series.patches)
    assert [test.output for test in judged.tests] == [""] * len(judged.tests)


MAIL = """\
From: A <a@example.org>
Subject: [PATCH] one

---
diff --git a/old.c b/new dir/new.c
--- a/old.c
+++ b/new dir/new.c
@@ -3,3 +10,4 @@ int one(void)
 same
-gone
+added
+++ added and no header
 same
@@ -20 +28 @@
-gone
+added
--
2.39
"""


def test_complaints_have_the_place_in_the_file_after_the_patch() -> None:
    numbers = {line: number for number, line in enumerate(MAIL.splitlines(), 1)}
    places = mail_places(MAIL.encode())
    assert places[numbers["+added"]] == ("new dir/new.c", 28)
    assert places[numbers["+++ added and no header"]] == ("new dir/new.c", 12)
    assert numbers["-gone"] not in places and 1 not in places and len(places) == 5
    assert str(CheckpatchLine("ERROR", 12, "X: y", "a.c", 3)) == "a.c:3: ERROR:X: y (line 12 of the patch)"
