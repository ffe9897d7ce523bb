# SPDX-License-Identifier: GPL-2.0-or-later
"""checkpatch on patches: a script of ours in place of the tree's, and the real one on our own series."""

from pathlib import Path

import pytest

from kernels.patches.checkpatch import SCRIPT, CheckpatchLine, checkpatch
from kernels.patches.series import Patch
from tests.command import results, rig
from util.errors import MachineError
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
