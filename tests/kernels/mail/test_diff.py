# SPDX-License-Identifier: GPL-2.0-or-later
"""What a diff touches, as we read it, beside git's own reading; and the diffs of an attacker."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.mail.diff import check, check_link, check_path, scan, unquote
from kernels.patches.series import read_series
from kernels.source.store import Store
from tests.faketree import changed, commit, git, make_repo, write_files
from tests.kernels.mailkit import mail
from util.errors import UserError
from util.stop import Stop

HUNK = "@@ -1 +1 @@\n-a\n+b\n"


def diff(name: str, body: str = HUNK, extended: str = "") -> str:
    return f"diff --git a/{name} b/{name}\n{extended}--- a/{name}\n+++ b/{name}\n{body}"


def test_real_diffs_are_read_as_git_reads_them(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "linux")
    (repo / "kernel/seccomp.c").write_text(changed(3, 30))
    (repo / "kernel/fork.c").rename(repo / "kernel/spoon.c")
    (repo / "include/linux/seccomp.h").unlink()
    (repo / "scripts/build.sh").chmod(0o644)
    names = {
        'kernel/qu"ote.c': "x\n",
        "kernel/tab\there.c": "y\n",
        "Documentation/neue grüße.rst": "z\n",
        "empty": "",
        "no newline": "x",
        "kernel/a b/c d": "1\n",
        "asm2": "->include",
        "minus.sql": "-- a/comment\n++ b/other\n@@ -1 +1 @@\n",
    }
    write_files(repo, names)
    git(repo, "add", "-A")
    patch = git(repo, "diff", "--cached", "--find-renames").encode()
    paths = {name for file in scan(patch).files for name in file.names}
    listed = git(repo, "diff", "--cached", "--no-renames", "--name-only", "-z").split("\0")[:-1]
    assert paths == set(listed)
    git(repo, "commit", "-qm", "x")
    write_files(repo, {"minus.sql": "replaced\n"})
    removed = scan(git(repo, "diff").encode())
    assert [file.names for file in removed.files] == [["minus.sql", "minus.sql", "minus.sql"]]


def test_hunks_are_counted_and_the_rest_is_no_diff() -> None:
    text = (
        "Talk\n\n" + diff("one", "@@ -1,2 +1,2 @@ ctx\n a\n--- a/evil\n+++ b/evil\n") + "-- \n2.39.5\n\nlist footer\n"
    )
    found = scan(text.encode())
    assert [set(file.names) for file in found.files] == [{"one"}]
    assert found.files[0].hunks == [(1, "@@ -1,2 +1,2 @@ ctx")]
    assert text.encode()[: found.end].endswith(b"+++ b/evil\n")


def test_a_context_line_whose_blank_was_eaten() -> None:
    text = diff("one", "@@ -1,3 +1,3 @@\n-a\n+b\n\n c\n") + "-- \n"
    assert text.encode()[: scan(text.encode()).end].endswith(b"\n c\n")


def test_a_diff_that_git_did_not_make() -> None:
    text = f"--- linux.orig/kernel/x.c\t2020-01-01 00:00:00\n+++ linux/kernel/x.c\t2020-01-02\n{HUNK}" * 2
    assert [set(file.names) for file in scan(text.encode()).files] == [{"kernel/x.c"}] * 2
    assert check(scan(f"--- /dev/null\n+++ b/new.c\n{HUNK}".encode())) == ("new.c",)


@pytest.mark.parametrize(
    ("word", "path"),
    [
        (b"a/plain", b"a/plain"),
        (rb'"a/f\303\274r"', "a/für".encode()),
        (rb'"a/\"x\"\\\t\n"', b'a/"x"\\\t\n'),
        (b'"a/open', b"a/open"),
        (b'"a/\\', b"a/\0"),
    ],
)
def test_unquote(word: bytes, path: bytes) -> None:
    assert unquote(word) == path


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_scanner(data: bytes) -> None:
    for head in (b"", b"diff --git ", b'diff --git "a/', b"diff --git a/x b/x\n@@ -1,9 +1,9 @@\n", b"--- a/x\n+++ "):
        found = scan(head + data)
        assert 0 <= found.end <= len(head + data)


BAD = {
    "../outside": "leaves the tree",
    "kernel/../../outside": "leaves the tree",
    "/etc/passwd": "leaves the tree",
    ".git/config": "git's own",
    "sub/.GIT/hooks/x": "git's own",
    "": "no proper path",
    "a//b": "no proper path",
    "a/./b": "no proper path",
    "new\nline": "unprintable",
    "es\x1bc": "unprintable",
    "x" * 5000: "unprintable|without end",
}


@pytest.mark.parametrize(("path", "words"), BAD.items())
def test_bad_paths(path: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_path(path)


@pytest.mark.parametrize("path", ["kernel/seccomp.c", ".gitignore", "Documentation/über.rst", "a b/c..d", ".github/x"])
def test_good_paths(path: str) -> None:
    check_path(path)


def test_links() -> None:
    check_link("a/b/link", "../../x")
    check_link("link", "kernel")
    for path, target in (("link", "/etc"), ("link", ".."), ("a/link", "../../x"), ("a/link", "b/../../../x")):
        with pytest.raises(UserError, match="leaves the tree"):
            check_link(path, target)


NEW = "diff --git a/{0} b/{0}\nnew file mode {2}\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+{1}\n"

ATTACKS = {
    "dots": (diff("../../etc/cron.d/x"), "leaves the tree"),
    "dots only in +++": (f"diff --git a/ok b/ok\n--- a/ok\n+++ b/../../x\n{HUNK}", "leaves the tree"),
    "absolute": (f"--- /etc/passwd\n+++ /etc/passwd\n{HUNK}", "leaves the tree"),
    "double slash": (diff("/etc/passwd"), "leaves the tree"),
    "escaped dots": (
        f'diff --git "a/\\056\\056/x" "b/\\056\\056/x"\n--- "a/\\056\\056/x"\n+++ "b/\\056\\056/x"\n{HUNK}',
        "leaves",
    ),
    "hook": (diff(".git/hooks/post-checkout"), "git's own"),
    "hook in disguise": (diff("sub/.Git/config"), "git's own"),
    "newline": (f'diff --git "a/x\\ny" "b/x\\ny"\n--- "a/x\\ny"\n+++ "b/x\\ny"\n{HUNK}', "unprintable"),
    "rename out": (
        "diff --git a/ok b/ok\nsimilarity index 100%\nrename from ok\nrename to ../../bad\n",
        "leaves the tree",
    ),
    "copy in": ("diff --git a/ok b/ok\ncopy from ../../../etc/passwd\ncopy to ok\n", "leaves the tree"),
    "binary": ("diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n\n", "binary diff of x"),
    "binary, without data": (
        "diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n",
        "binary diff of x",
    ),
    "submodule": (NEW.format("x", "Subproject commit " + "1" * 40, "160000"), "submodule"),
    "set-uid": (diff("x", extended="old mode 100644\nnew mode 104755\n"), "unknown mode 104755"),
    "device": (NEW.format("x", "x", "060000"), "unknown mode"),
    "link out": (NEW.format("kernel/l", "../../../etc", "120000"), "leaves the tree"),
    "absolute link": (NEW.format("l", "/etc", "120000"), "leaves the tree"),
    "merge": ("diff --cc x\n--- a/x\n+++ b/x\n@@@ -1 -1 +1 @@@\n- a\n -b\n++c\n", "merge"),
    "nothing": ("diff --git \n" + HUNK, "names no file"),
}


@pytest.mark.parametrize(("text", "words"), ATTACKS.values(), ids=ATTACKS)
def test_attacks(tmp_path: Path, text: str, words: str) -> None:
    for encoding in ("8bit", "base64"):
        path = tmp_path / "evil.mbox"
        path.write_bytes(mail("[PATCH 1/1] x", f"Be nice.\n---\n{text}", encoding=encoding))
        with pytest.raises(UserError, match=words) as caught:
            read_series(str(path), Store(tmp_path / "cache"), None, Stop())
        assert "\n" not in str(caught.value)


def test_git_may_not_read_more_than_we_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last wall: a file that only git finds in the diff."""
    path = tmp_path / "evil.mbox"
    path.write_bytes(mail("[PATCH 1/1] x", f"---\n{diff('kernel/a.c')}{diff('kernel/b.c')}"))
    monkeypatch.setattr("kernels.patches.series.check", lambda found: check(found)[:1])
    with pytest.raises(UserError, match="in a way that only git can read"):
        read_series(str(path), Store(tmp_path / "cache"), None, Stop())


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from(["a", "b/c", "d e", 'q"', "ü", "t\t"]), min_size=1, max_size=3, unique=True))
def test_names_with_and_without_quotes(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repo = Path(folder)
        git(repo, "init", "-q")
        commit(repo, "x", {"file": "x\n"})
        for name in names:
            (repo / "sub").mkdir(exist_ok=True)
            write_files(repo, {f"sub/{name}": "x\n"})
        git(repo, "add", "-A")
        for options in ([], ["-c", "core.quotePath=false"]):
            text = subprocess.run(
                ["git", *options, "diff", "--cached"], cwd=repo, capture_output=True, check=True
            ).stdout
            found = {name for file in scan(text).files for name in file.names}
            assert found == {f"sub/{name}" for name in names}
