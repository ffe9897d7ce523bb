# SPDX-License-Identifier: GPL-2.0-or-later
"""Applying a series: what comes out, what a failure names, and that nothing of the host's leaks in."""

import threading
from pathlib import Path

import pytest

from kernels.patches.apply import Applied, FailedPatch, apply_series
from kernels.patches.patch import Series
from kernels.patches.series import read_series
from kernels.source.resolve import Source
from kernels.source.store import Store
from tests.faketree import Events, changed, commit, git, make_tree, resolve
from tests.kernels.mailkit import diff_of, mail, patch_mail, write_series
from util.errors import UserError
from util.events import Phase
from util.stop import Stop, Stopped


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return write_series(tmp_path / "linux")


@pytest.fixture
def source(store: Store, repo: Path) -> Source:
    return resolve(f"git:{repo}@start", store)


def box(store: Store, tmp_path: Path, *mails: bytes) -> Series:
    path = tmp_path / "series.mbox"
    path.write_bytes(b"\n".join(mails))
    return read_series(str(path), store, None, Stop())


def apply(store: Store, source: Source, series: Series, patches: int | None = None) -> Applied:
    return apply_series(store, source, series, patches, Events(), Stop())


def failure(store: Store, source: Source, series: Series) -> FailedPatch:
    applied = apply(store, source, series)
    assert applied.failure is not None
    assert "\n" not in str(applied.failure)
    return applied.failure


@pytest.mark.slow
def test_the_tree_is_the_authors_and_the_commit_a_function_of_base_and_series(
    store: Store, tmp_path: Path, repo: Path, source: Source
) -> None:
    series = box(store, tmp_path, *(patch_mail(repo, number) for number in (3, 1, 2)))
    applied = apply(store, source, series)
    assert applied.failure is None
    assert applied.tree == git(repo, "rev-parse", "main^{tree}").strip() == store.tree_of(applied.commit)
    assert store.git("rev-list", "--count", f"{source.commit}..{applied.commit}").strip() == "3"
    shown = store.git("show", "-s", "--format=%an <%ae> %aI|%cn %cI|%B", applied.commit)
    assert shown.startswith("Jörg Tester <joerg@example.org> 2020-10-09T12:14:29-05:00|kernel-patch-rig 2000-01-01")
    assert "Why: number 3, für Jörg.\n\nSigned-off-by: Jörg" in shown
    other = Store(tmp_path / "another")
    assert apply(other, resolve(f"git:{repo}@start", other), box(other, tmp_path, *reversed(_mails(repo)))) == applied


def _mails(repo: Path) -> list[bytes]:
    return [patch_mail(repo, number, encoding="base64") for number in (1, 2, 3)]


def test_the_second_time_is_answered_from_the_store(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    series = box(store, tmp_path, *_mails(repo))
    events = Events()
    first = apply_series(store, source, series, None, events, Stop())
    assert events.steps() == [f"apply {series.title}"]
    events.clear()
    assert apply_series(store, source, series, None, events, Stop()) == first
    assert events == []
    assert list((store.root / "scratch").iterdir()) == []


def test_the_first_patches_only(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    series = box(store, tmp_path, *_mails(repo))
    trees = [apply(store, source, series, count).tree for count in (0, 1, 2, 3)]
    assert trees == [git(repo, "rev-parse", f"main~{3 - count}^{{tree}}").strip() for count in (0, 1, 2, 3)]
    assert apply(store, source, series, 0).commit == source.commit
    with pytest.raises(UserError, match="has 3 patches, not 4"):
        apply(store, source, series, 4)


def test_a_failure_names_patch_file_and_hunk(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    two_hunks = git(repo, "diff", "start", "main", "--unified=1", "--", "kernel/seccomp.c")
    good = patch_mail(repo, 1, 2)
    bad = mail("[PATCH 2/2] seccomp: bad", f"---\n{two_hunks.replace(' int line_19', ' int line_99')}")
    applied = apply(store, source, box(store, tmp_path, good, bad))
    assert applied.tree == git(repo, "rev-parse", "main~2^{tree}").strip(), "what applied stays"
    found = applied.failure
    assert found is not None
    assert (found.patch.number, found.patch.subject, found.file) == (2, "seccomp: bad", "kernel/seccomp.c")
    assert found.hunk.startswith("@@ -9,3 +9,3 @@"), "the first hunk of patch 2 was applied by patch 1 already"
    assert found.message == "patch failed: kernel/seccomp.c:9"
    alone = failure(store, source, box(store, tmp_path, bad.replace(b"2/2", b"1/1")))
    assert alone.hunk.startswith("@@ -19,3 +19,3 @@")
    assert str(alone).startswith("patch 1, 'seccomp: bad', does not apply (kernel/seccomp.c, hunk @@ -19,3")


def test_a_failure_is_not_remembered_as_a_success(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    series = box(store, tmp_path, patch_mail(repo, 2).replace(b"2/3", b"1/1").replace(b"line_19", b"line_99"))
    for _ in range(2):
        assert apply(store, source, series).failure is not None
    assert store.git("for-each-ref", "refs/rig/applied") == ""


NEW = "diff --git a/{0} b/{0}\nnew file mode {1}\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+{2}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("diff", "file", "words"),
    [
        (NEW.format("kernel/fork.c", "100644", "x"), "kernel/fork.c", "already exists"),
        ("--- a/kernel/gone.c\n+++ b/kernel/gone.c\n@@ -1 +1 @@\n-x\n+y\n", "kernel/gone.c", "does not exist"),
        (
            "--- a/kernel/fork.c\n+++ b/kernel/fork.c\n@@ -1,3 +1,3 @@\n-int fork;\n+y\n",
            "kernel/fork.c",
            "corrupt patch",
        ),
        (NEW.format("include/asm/x.h", "100644", "x"), "include/asm/x.h", "beyond a symbolic link"),
        (NEW.format("kernel/fork.c/x.h", "100644", "x"), "kernel/fork.c/x.h", ""),
    ],
)
def test_other_failures(store: Store, tmp_path: Path, source: Source, diff: str, file: str, words: str) -> None:
    found = failure(store, source, box(store, tmp_path, mail("[PATCH] x", f"---\n{diff}")))
    assert found.file == file
    assert words in found.message
    assert found.message


def test_writing_through_a_link_of_the_series_itself(store: Store, tmp_path: Path, source: Source) -> None:
    link = mail("[PATCH 1/2] x", f"---\n{NEW.format('kernel/l', '120000', '../include')}\\ No newline at end of file\n")
    through = mail("[PATCH 2/2] x", f"---\n{NEW.format('kernel/l/x.h', '100644', 'x')}")
    found = failure(store, source, box(store, tmp_path, link, through))
    assert found.patch.number == 2
    assert "beyond a symbolic link" in found.message


@pytest.mark.slow
def test_what_the_source_holds_already(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    mails = [patch_mail(repo, 1, 2), mail("[PATCH 2/2] again", f"Other words.\n---\n{diff_of(repo, 1)}")]
    found = failure(store, source, box(store, tmp_path, *mails))
    assert found.patch.number == 2
    assert found.message == "the source holds this change already"
    patched = resolve(f"git:{repo}@main~1", store)
    first = failure(store, patched, box(store, tmp_path, *_mails(repo)))
    assert (first.patch.number, first.message) == (1, "the source holds this change already")


@pytest.mark.slow
def test_three_ways_where_the_blobs_are_at_hand(store: Store, tmp_path: Path, repo: Path) -> None:
    """A source that moved on: patch 1 changes line 10, the source line 8, which is in the context of the hunk."""
    moved = make_tree(tmp_path / "moved", files={"kernel/seccomp.c": changed(8, text="moved")})
    source = resolve(moved, store)
    foreign = box(store, tmp_path, *_mails(repo))
    assert failure(store, source, foreign).file == "kernel/seccomp.c"
    ranged = read_series(f"{repo}:start..main", store, None, Stop())
    applied = apply(store, source, ranged)
    assert applied.failure is None
    text = (store.blob(applied.tree, "kernel/seccomp.c") or b"").decode()
    assert [line for line in text.splitlines() if "line" not in line] == [
        "int moved_8;",
        "int changed_10;",
        "int changed_20;",
        "int changed_30;",
    ]


def test_a_conflict_that_three_ways_do_not_solve(store: Store, tmp_path: Path, repo: Path) -> None:
    source = resolve(make_tree(tmp_path / "moved", files={"kernel/seccomp.c": changed(20, text="moved")}), store)
    found = failure(store, source, read_series(f"{repo}:start..main", store, None, Stop()))
    assert (found.patch.number, found.file) == (2, "kernel/seccomp.c")
    assert found.hunk.startswith("@@ -17,7 +17,7 @@")


def test_files_with_carriage_returns(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    git(repo, "checkout", "-q", "start")
    (repo / "kernel/dos.c").write_bytes(b"one\r\ntwo\r\n")
    commit(repo, "dos: add")
    (repo / "kernel/dos.c").write_bytes(b"one\r\n2\r\n")
    commit(repo, "dos: change")
    for mailbox in (git(repo, "format-patch", "--stdout", "start"), None):
        series = read_series(f"{repo}:start..HEAD", store, None, Stop())
        if mailbox:
            series = box(store, tmp_path, mailbox.encode())
        assert store.blob(apply(store, source, series).tree, "kernel/dos.c") == b"one\r\n2\r\n"


def test_modes_renames_links_and_ignored_names(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    git(repo, "checkout", "-q", "start")
    (repo / "kernel/fork.c").rename(repo / "kernel/fork2.c")
    (repo / "scripts/build.sh").chmod(0o644)
    (repo / "include/uapi").symlink_to("linux")
    (repo / "kernel/keep.o").write_text("ignored by .gitignore\n")
    git(repo, "add", "-f", "kernel/keep.o")
    commit(repo, "fake: odd things")
    mailbox = git(repo, "format-patch", "--stdout", "--find-renames", "-1").encode()
    assert apply(store, source, box(store, tmp_path, mailbox)).tree == git(repo, "rev-parse", "HEAD^{tree}").strip()


def test_an_existing_link_bent_out_of_the_tree(store: Store, tmp_path: Path, source: Source) -> None:
    """The diff of a link without its mode line: only the result shows what it is."""
    end = "\\ No newline at end of file\n"
    bend = f"--- a/include/asm\n+++ b/include/asm\n@@ -1 +1 @@\n-linux\n{end}+../../etc\n{end}"
    series = box(store, tmp_path, mail("[PATCH] x", f"---\n{bend}"))
    with pytest.raises(UserError, match=r"link to '\.\./\.\./etc', which leaves the tree"):
        apply(store, source, series)
    assert store.git("for-each-ref", "refs/rig/applied") == ""


@pytest.mark.slow
def test_nothing_of_the_hosts_configuration_counts(
    store: Store, tmp_path: Path, repo: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    for name in ("applypatch-msg", "pre-applypatch", "post-applypatch", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {home}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n[commit]\n\tgpgSign = true\n[am]\n\tmessageid = true\n"
        "[apply]\n\twhitespace = error\n[user]\n\tname = Stranger\n[i18n]\n\tcommitEncoding = latin1\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2011-11-11T11:11:11")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Stranger")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    applied = apply(store, source, box(store, tmp_path, *_mails(repo)))
    assert applied.failure is None
    assert not (home / "ran").exists()
    monkeypatch.undo()
    other = Store(tmp_path / "another")
    assert apply(other, resolve(f"git:{repo}@start", other), box(other, tmp_path, *_mails(repo))) == applied


def test_threads_that_apply_the_same(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    series = box(store, tmp_path, *_mails(repo))
    found: list[Applied] = []
    threads = [threading.Thread(target=lambda: found.append(apply(store, source, series))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert found[0].failure is None


def test_the_stop_is_heard(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    stop = Stop()

    def listener(_event: object) -> None:
        stop.set()

    with pytest.raises(Stopped):
        apply_series(store, source, box(store, tmp_path, *_mails(repo)), None, listener, stop)
    assert list((store.root / "scratch").iterdir()) == []
    assert apply(store, source, box(store, tmp_path, *_mails(repo))).failure is None


def test_events_of_a_failure(store: Store, tmp_path: Path, repo: Path, source: Source) -> None:
    events = Events()
    series = box(store, tmp_path, patch_mail(repo, 2).replace(b"2/3", b"1/1").replace(b"line_19", b"line_99"))
    apply_series(store, source, series, None, events, Stop())
    assert [event.phase for event in events] == [Phase.START, Phase.FAILED]
    assert "does not apply" in events[-1].text
