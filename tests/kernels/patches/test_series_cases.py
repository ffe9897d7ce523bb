# SPDX-License-Identifier: GPL-2.0-or-later
"""Series that were once read wrongly, each beside what `git am`, `git quiltimport` and `b4 am` make of the file."""

import gzip
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from kernels.mail.thread import EVERYTHING, ThreadChoice
from kernels.patches.apply import Applied, apply_series
from kernels.patches.kinds.git_range import read_range
from kernels.patches.patch import Series
from kernels.patches.series import read_series
from kernels.source.resolve import Source
from kernels.source.store import Store
from kernels.source.worktree import worktree
from tests.faketree import commit, git, make_repo, resolve
from tests.kernels.tools import b4_am, call, clone, environment, git_am, head, message_ids
from util.errors import UserError
from util.events import silent
from util.stop import Stop, Stopped

CASES = Path(__file__).parent.parent / "cases" / "series"
DEV = "A Dev <dev@example.org>"
JOERG = "Jörg Müller <jm@example.org>"


@dataclass(frozen=True)
class Bench:
    """The tree of the cases as a source of ours and as a clone for the tools."""

    tree: Path
    store: Store
    source: Source
    scratch: Path

    def read(self, spec: object, choice: ThreadChoice = EVERYTHING) -> Series:
        return read_series(str(spec), self.store, self.source, Stop(), choice)

    def apply(self, series: Series) -> Applied:
        return apply_series(self.store, self.source, series, None, silent, Stop())

    def ours(self, spec: object, choice: ThreadChoice = EVERYTHING) -> str:
        applied = self.apply(self.read(spec, choice))
        assert applied.failure is None, str(applied.failure)
        return applied.tree


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    tree = clone(CASES / "tree.bundle", "base", folder / "tree")
    call(tree, "git", "tag", "ORIG_BASE", env=environment(folder / "tree-home"))
    store = Store(folder / "cache")
    return Bench(tree, store, resolve(tree, store), folder)


@dataclass(frozen=True)
class Case:
    """`authors` and `subjects` of the patches. `git`: `git am` takes the file itself, and our tree is its tree; `b4`:
    so does `b4 am`. Where one of them does not, `why` says what it does instead."""

    file: str
    subjects: tuple[str, ...]
    authors: tuple[str, ...] = (DEV,)
    git: bool = False
    b4: bool = False
    warns: str = ""
    choice: ThreadChoice = EVERYTHING
    b4_options: tuple[str, ...] = ()
    why: str = ""


THREE = ("many: one", "many: two", "many: three")
TABLE = [
    Case("attr-filter.patch", ("many: x",), git=True, why="b4 wants a message-id"),
    Case("b4-output.mbx", ("many: größer", "many: größer, zweite"), (JOERG,), git=True, why="b4: two threads"),
    Case("concat-no-blank.mbox", THREE[:2], git=True),
    Case("patch-no-space.mbox", THREE[:2], git=True),
    Case("flowed.eml", THREE[:1], git=True),
    Case("from-in-header.patch", THREE[:1], git=True),
    Case("two-from.patch", THREE[:1], git=True),
    Case("two-text-parts.eml", THREE[:1], git=True),
    Case("maildir", THREE[:2], git=True),
    Case("thread.mbox.gz", THREE[:2], why="git does not unpack; see the test of packed mailboxes"),
    Case("threads/patch-reply-nore-first.mbox", THREE, b4=True, why="git am takes the answer for an empty patch"),
    Case("threads/v1-and-v2-thread.mbox", THREE, b4=True, warns="v2 was taken and v1 .3 patches. passed over"),
    Case(
        "threads/v1-and-v2-thread.mbox", THREE, b4=True, choice=ThreadChoice(revision=1), b4_options=("-v1",),
        warns="v1 was taken and v2 .3 patches. passed over",
    ),
    Case("threads/fixup-v2-of-2-as-reply.mbox", THREE, b4=True, warns="2/3 of v2 with 1/3 of v1, 3/3 of v1"),
    Case("threads/single-3-of-3.mbox", THREE[2:], git=True, b4=True, choice=ThreadChoice(only=3)),
    Case("threads/v1-and-v2-thread.mbox", THREE[2:], b4=True, choice=ThreadChoice(only=3), b4_options=("-P", "3"),
         warns="v2 was taken"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case.file}-{case.choice.revision}-{case.choice.only}")
def test_as_git_and_b4_read_it(bench: Bench, case: Case) -> None:
    file = CASES / case.file
    series = bench.read(file, case.choice)
    assert tuple(patch.subject for patch in series.patches) == case.subjects
    assert {patch.author for patch in series.patches} == set(case.authors)
    assert re.search(case.warns, "\n".join(series.warnings))
    assert bool(case.warns) == bool(series.warnings)
    tree = bench.ours(file, case.choice)
    assert tree != bench.source.tree
    if case.git:
        assert git_am(bench.tree, file) == tree
        shown = git(bench.tree, "log", "--reverse", "--format=%an <%ae>|%s|%aI|%b", "ORIG_BASE..HEAD")
        applied = bench.apply(series).commit
        assert shown == bench.store.git(
            "log", "--reverse", "--format=%an <%ae>|%s|%aI|%b", f"{bench.source.commit}..{applied}"
        )
    elif file.is_file():
        assert git_am(bench.tree, file) != tree, "git agrees by now: note it in the table"
    if case.b4:
        last = message_ids(file)[-1]
        assert b4_am(bench.tree, file, last, bench.scratch / "out", *case.b4_options) == tree


def test_packed_mailboxes(bench: Bench, tmp_path: Path) -> None:
    import bz2
    import lzma

    data = gzip.decompress((CASES / "thread.mbox.gz").read_bytes())
    plain = tmp_path / "plain.mbox"
    plain.write_bytes(data)
    tree = git_am(bench.tree, plain)
    for name, pack in (("a.gz", gzip.compress), ("b.bz2", bz2.compress), ("c.xz", lzma.compress)):
        (tmp_path / name).write_bytes(pack(data))
        assert bench.ours(tmp_path / name) == tree
        (tmp_path / name).write_bytes(pack(data)[:200])
        with pytest.raises(UserError, match="is packed, and damaged"):
            bench.read(tmp_path / name)


def test_one_of_three_alone_is_refused_with_the_option_that_takes_it(bench: Bench) -> None:
    with pytest.raises(UserError, match=r"patch 1/3, 2/3 is missing .*--only 3 takes patch 3 alone"):
        bench.read(CASES / "threads/single-3-of-3.mbox")
    with pytest.raises(UserError, match="patch 2/3 is not in it"):
        bench.read(CASES / "threads/single-3-of-3.mbox", ThreadChoice(only=2))
    with pytest.raises(UserError, match="holds no v7, only v1, v2"):
        bench.read(CASES / "threads/v1-and-v2-thread.mbox", ThreadChoice(revision=7))


@pytest.mark.slow
def test_a_reroll_that_answers_nothing_is_no_series(bench: Bench, tmp_path: Path) -> None:
    """b4 takes a partial reroll only where the new patch answers the old one of the same number."""
    text = (CASES / "threads/fixup-v2-of-2-as-reply.mbox").read_text(encoding="utf-8")
    start = text.index("Message-ID: <b2@example.org>")
    (tmp_path / "x.mbox").write_text(text[:start] + text[start:].replace("<a2@", "<a1@"), encoding="utf-8")
    with pytest.raises(UserError, match="patch 1/3, 3/3 is missing from the series; two versions are mixed"):
        bench.read(tmp_path / "x.mbox")
    assert b4_am(bench.tree, tmp_path / "x.mbox", "b2@example.org", tmp_path / "out") != bench.ours(
        CASES / "threads/fixup-v2-of-2-as-reply.mbox"
    )


ISO = ["2021-01-02 03:04:05 +0000", "2021-01-02T03:04:05Z", "2021-01-02T03:04:05+00:00", "1609556645 +0000",
       "2021/01/02 03:04:05 +0000", "01/02/2021 03:04:05 +0000", "2021-01-01 19:04:05 -0800", "1609556645 -0800",
       "Sat Jan  2 03:04:05 2021 +0000", "Sat, 02 Jan 2021 04:04:05 +0100"]  # fmt: skip


@pytest.mark.parametrize("date", [*ISO, "Sat, 2 Jan 2021 03:04:05 +0000"])
def test_dates_as_git_reads_them(bench: Bench, tmp_path: Path, date: str) -> None:
    file = tmp_path / "dated.patch"
    text = (CASES / "from-in-header.patch").read_text(encoding="utf-8")
    file.write_text(text.replace("Sat, 2 Jan 2021 03:04:05 +0000", date), encoding="utf-8")
    applied = bench.apply(bench.read(file))
    shown = bench.store.git("show", "-s", "--format=%at %aI", applied.commit).strip()
    assert git_am(bench.tree, file) == applied.tree
    assert shown == git(bench.tree, "show", "-s", "--format=%at %aI").strip()
    assert shown.startswith("1609556645 ")


def test_a_date_that_nobody_can_read_is_told(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "dated.patch"
    text = (CASES / "from-in-header.patch").read_text(encoding="utf-8")
    file.write_text(text.replace("Sat, 2 Jan 2021 03:04:05 +0000", "the day after tomorrow"), encoding="utf-8")
    series = bench.read(file)
    assert any("cannot be read; taken as Sat, 01 Jan 2000" in text for text in series.warnings)


# Hostile ones


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("charset-nul.patch", "names no charset"),
        ("hunk-digits.patch", "more than 9 digits"),
        ("chain.patch", "makes 'escape' a link to 'p/q/r/top/../../../etc/passwd', which leaves the tree"),
    ],
)
def test_refused_with_one_line(bench: Bench, file: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        bench.ours(CASES / "security" / file)
    assert str(caught.value).isprintable()


def test_links_are_followed_through_links(bench: Bench, tmp_path: Path) -> None:
    """One that is bent by another patch's link, and one that stays inside."""
    head_of = "From: A <a@b>\nDate: Sat, 2 Jan 2021 03:04:05 +0000\nSubject: [PATCH] x\n\n---\n\n"

    def link(path: str, target: str) -> str:
        top = f"diff --git a/{path} b/{path}\nnew file mode 120000\n--- /dev/null\n+++ b/{path}\n"
        return f"{top}@@ -0,0 +1 @@\n+{target}\n\\ No newline at end of file\n"

    for name, links, fine in (
        ("inside", link("p/top", "..") + link("fine", "p/top/kernel/many.c"), True),
        ("outside", link("p/top", "..") + link("bad", "p/top/../x"), False),
        ("endless", link("p/a", "b") + link("p/b", "a"), True),
        ("absolute", link("p/a", "b/../../..") + link("p/b", "/etc"), False),
    ):
        file = tmp_path / f"{name}.patch"
        file.write_text(head_of + links, encoding="utf-8")
        if fine:
            assert bench.ours(file)
        else:
            with pytest.raises(UserError, match="leaves the tree"):
                bench.ours(file)


@pytest.mark.slow
def test_attributes_of_a_series_change_no_checkout(tmp_path: Path) -> None:
    """Its own checkout, and those of the runs that follow, hold the bytes of the tree."""
    tree = clone(CASES / "tree.bundle", "base", tmp_path / "tree")
    store = Store(tmp_path / "cache")
    source = resolve(tree, store)
    series = read_series(str(CASES / "gitattributes-then-others/attr-filter.patch"), store, source, Stop())
    bad = apply_series(store, source, series, None, silent, Stop())
    assert bad.failure is None
    others = [CASES / "flowed.eml", CASES / "concat-no-blank.mbox", CASES / "b4-output.mbx"]
    commits = [bad.commit]
    for other in others:
        following = read_series(str(other), store, source, Stop())
        applied = apply_series(store, source, following, None, silent, Stop())
        assert applied.failure is None
        commits.append(applied.commit)
    on_top = read_series(str(CASES / "flowed.eml"), store, source, Stop())
    assert (
        apply_series(store, Source("x", "x", bad.commit, bad.tree, "1"), on_top, None, silent, Stop()).failure is None
    )
    for name in (*commits, source.commit):
        with worktree(store, name, silent, Stop()) as checkout:
            for path in ("kernel/many.c", "Makefile", "init/main.c"):
                assert (checkout / path).read_bytes() == store.blob(name, path)


def test_a_file_that_is_too_big_is_refused_unread(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = tmp_path / "big.mbox"
    with big.open("wb") as file:
        file.truncate(1_500_000_000)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda *_: pytest.fail("it was opened"))
        with pytest.raises(UserError, match="larger than 64 MiB"):
            bench.read(big)
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(70 << 20), 1))
    with pytest.raises(UserError, match="larger than 64 MiB"):
        bench.read(bomb)


@pytest.mark.parametrize("spec", ["a\0b", "x" * 5000, "x" * 300, "a\x1b[2Jb", "~nobody-of-this-name/x", ":", "..", "@"])
def test_odd_names_are_refused_with_one_line(bench: Bench, spec: str) -> None:
    with pytest.raises(UserError) as caught:
        bench.read(spec)
    assert str(caught.value).isprintable()


def test_a_pipe_is_read(bench: Bench, tmp_path: Path) -> None:
    """`--series <(b4 am -o- ...)`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = (CASES / "concat-no-blank.mbox").read_bytes()
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(data),))
    writer.start()
    assert len(bench.read(pipe).patches) == 2
    writer.join()


HEAD = b"From: a <a@b>\nDate: Sat, 2 Jan 2021 03:04:05 +0000\nSubject: [PATCH] x\n"
DIFF = b"""---

diff --git a/kernel/many.c b/kernel/many.c
--- a/kernel/many.c
+++ b/kernel/many.c
@@ -10,4 +10,4 @@
 int line10;
 int line11;
-int line12;
+int line12 = 1;
 int line13;
"""
LONG = {
    "separator": lambda n: b"From " + b"1:" * (n // 2) + b"\n" + HEAD + b"\nb\n" + DIFF,
    "separator in the text": lambda n: HEAD + b"\n\nFrom " + b"12:34 " * (n // 6) + b"\nx: y\n" + DIFF,
    "separators": lambda n: b"From a Mon Sep 17 12:34:56 2001\nA: b\n\n" * (n // 38),
    "encoded words": lambda n: b"Subject: " + b"=?utf-8?q?a?= " * (n // 14) + b"\n" + HEAD[:-19] + b"\nb\n" + DIFF,
    "encoded words without end": lambda n: HEAD[:-1] + b" " + b"=?utf-8?q?" * (n // 10) + b"\n\nb\n" + DIFF,
    "brackets": lambda n: b"Subject: " + b"[]" * (n // 2) + b"\n" + HEAD[:-19] + b"\nb\n" + DIFF,
    "parameters": lambda n: HEAD + b'Content-Type: text/plain; x="' + b";" * n + b'"\n\nb\n' + DIFF,
    "headers": lambda n: HEAD + b"X: y\n" * (n // 5) + b"\nb\n" + DIFF,
    "references": lambda n: HEAD + b"References: " + b"<" * n + b"\n\nb\n" + DIFF,
    "octal": lambda n: HEAD + b'\n---\ndiff --git a/x b/x\nrename from "' + b"\\303" * (n // 4) + b"\n" + DIFF,
    "quotes": lambda n: HEAD + b"\n---\ndiff --git " + b'" ' * (n // 2) + b"\n" + DIFF,
    "parts": lambda n: HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * (n // 7),
    "base64": lambda n: HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"!A" * (n // 2),
    "dates": lambda n: b"From: a <a@b>\nDate: " + b"(" * n + b"\nSubject: x\n\nb\n" + DIFF,
}


@pytest.mark.parametrize("kind", LONG)
def test_the_time_is_linear(bench: Bench, tmp_path: Path, kind: str) -> None:
    """Four times the length may take eight times as long; what was quadratic took sixteen times, and minutes."""
    spent = []
    for size in (100_000, 400_000):
        file = tmp_path / f"{size}.mbox"
        file.write_bytes(LONG[kind](size))
        begun = time.process_time() + sum(os.times()[2:4])
        try:
            bench.read(file)
        except UserError as error:
            assert "\n" not in str(error)
        spent.append(time.process_time() + sum(os.times()[2:4]) - begun)
    assert spent[1] < max(8 * spent[0], 1.0), spent


def test_ctrl_c_is_heard_between_the_mails(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "many.mbox"
    file.write_bytes(b"From a Mon Sep 17 12:34:56 2001\n" + HEAD + b"\nb\n")
    file.write_bytes(file.read_bytes() * 4000)
    stop = Stop()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Stopped):
        read_series(str(file), bench.store, bench.source, stop)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('Content-Type: text/plain; charset*99999999999999999999999999*=x', "neither valid x nor"),
        (f"Content-Type: text/plain; charset*{'9' * 5000}*=x", "cannot be read as a mail"),
        ("Content-Type: text/plain; charset=idna", "neither valid idna nor"),
        ("Content-Type: text/plain; charset=unicode_escape", "neither valid unicode_escape nor"),
        (f"Date: {'9' * 6000}", ""),
        ("Date: Sat, 2 Jan 99999 03:04:05 +9999", ""),
        ("Date: 0000-00-00", ""),
    ],
)  # fmt: skip
def test_no_header_makes_a_traceback(bench: Bench, tmp_path: Path, header: str, words: str) -> None:
    file = tmp_path / "odd.patch"
    file.write_bytes(header.encode() + b"\n" + HEAD.replace(b"Date: Sat, 2 Jan 2021 03:04:05 +0000\n", b"")
                     + b"\n\xff\xfe\n" + DIFF)  # fmt: skip
    if words:
        with pytest.raises(UserError, match=words):
            bench.read(file)
    else:
        assert len(bench.read(file).patches) == 1


# Quilt and folders of numbered patches


def quiltimport(bench: Bench, folder: Path) -> str:
    env = environment(bench.scratch / "tree-home")
    call(bench.tree, "git", "reset", "-q", "--hard", "ORIG_BASE", env=env)
    done = call(bench.tree, "git", "quiltimport", "--author", "N <n@example.org>", "--patches", str(folder), env=env)
    assert done.returncode == 0, done.stderr
    return head(bench.tree)


def change(line: int, path: str = "kernel/many.c", prefix: tuple[str, str] = ("a/", "b/")) -> str:
    lines = [f" int line{number};\n" for number in range(line - 2, line)]
    after = [f" int line{number};\n" for number in range(line + 1, line + 3)]
    middle = f"-int line{line};\n+int line{line} = 1;\n"
    top = f"--- {prefix[0]}{path}\n+++ {prefix[1]}{path}\n@@ -{line - 2},5 +{line - 2},5 @@\n"
    return top + "".join([*lines, middle, *after])


def test_the_series_file_says_order_and_selection(bench: Bench) -> None:
    folder = CASES / "quilt-unused"
    series = bench.read(folder)
    assert [patch.subject for patch in series.patches] == ["many: variant 1"]
    assert "1 patch in the order of the series file, left out 1 in comments" in series.warnings[0]
    assert bench.ours(folder) == bench.ours(folder / "series") == quiltimport(bench, folder)


@pytest.mark.slow
def test_a_quilt_queue_of_debian(bench: Bench, tmp_path: Path) -> None:
    """DEP-3 headers, no headers at all, folders, options, a comment behind a name, an order that is not the names'."""
    queue = tmp_path / "patches"
    (queue / "bugfix/all").mkdir(parents=True)
    dep3 = (
        "Description: many: one\n A longer text of\n .\n two paragraphs.\nAuthor: Jörg Müller <jm@example.org>\n"
        "Forwarded: not-needed\nLast-Update: 2021-01-02\n---\nThis patch header follows DEP-3.\n"
    )
    (queue / "bugfix/all/z-dep3.patch").write_text(dep3 + change(10), encoding="utf-8")
    (queue / "bare.patch").write_text(change(30), encoding="utf-8")
    (queue / "p0.patch").write_text(
        "Subject: many: p0\nFrom: B <b@example.org>\n\ntext\n" + change(50, prefix=("", ""))
    )
    (queue / "p2.patch").write_text("words\n\n" + change(70, prefix=("x/y/", "x/y/")))
    (queue / "unused.patch").write_text(change(90))
    order = "# comment\n\nbugfix/all/z-dep3.patch\nbare.patch   # why\np0.patch -p0\np2.patch -p2\n"
    (queue / "series").write_text(order)
    series = bench.read(queue)
    assert [(patch.subject, patch.author) for patch in series.patches] == [
        ("many: one", JOERG),
        ("bare", "Unknown Author <unknown@localhost>"),
        ("many: p0", "B <b@example.org>"),
        ("p2", "Unknown Author <unknown@localhost>"),
    ]
    assert "4 patches in the order of the series file, left out 1 that it does not name" in series.warnings[0]
    assert "2 of the patches name no author" in series.warnings[1]
    assert "A longer text of\n\ntwo paragraphs." in series.patches[0].mail.decode()
    (queue / "series").write_text(order.replace("   # why", ""))  # which git quiltimport takes for options
    assert bench.ours(queue) == quiltimport(bench, queue)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gone.patch", "series:1: names 'gone.patch', which is not there"),
        ("../out.patch", "series:1: names '../out.patch', which is outside"),
        ("a.patch -R", "series:1: the option '-R' is not understood"),
        ("a.patch -p9", "which -p9 does not fit"),
        ("# nothing", "names no patch"),
        ("empty.patch", "holds no diff"),
    ],
)
def test_series_files_that_are_refused(bench: Bench, tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "out.patch").write_text(change(10))
    (tmp_path / "q/a.patch").write_text(change(10))
    (tmp_path / "q/empty.patch").write_text("Subject: nothing\n")
    (tmp_path / "q/series").write_text(line + "\n")
    with pytest.raises(UserError, match=words):
        bench.read(tmp_path / "q")


def test_numbered_files_that_are_no_thread(bench: Bench, tmp_path: Path) -> None:
    """OpenWrt's: cut out of several series, in the order of the files' names."""
    top = "From: A Dev <dev@example.org>\nDate: Sat, 2 Jan 2021 03:04:05 +0000\nSubject: [PATCH{}] many: {}\n\nx\n---\n"
    for name, tag, line in (("020-c", " 3/7", 10), ("030-b", "", 30), ("100-a", " v2 1/2", 50)):
        (tmp_path / f"{name}.patch").write_text(top.format(tag, name) + change(line))
    (tmp_path / "200-bare.patch").write_text(change(70))
    series = bench.read(tmp_path)
    assert [patch.subject for patch in series.patches] == ["many: 020-c", "many: 030-b", "many: 100-a", "200-bare"]
    assert "the subjects are no one thread; 4 patches are taken in the order of the file names" in series.warnings[0]
    assert bench.apply(series).failure is None
    alone = bench.read(tmp_path, ThreadChoice(only=2))
    assert [patch.subject for patch in alone.patches] == ["many: 030-b"]


def test_a_folder_of_format_patch_without_its_last_is_no_queue(bench: Bench, tmp_path: Path) -> None:
    top = "From: A Dev <dev@example.org>\nSubject: [PATCH {}/3] many: x\n\nx\n---\n"
    for number in (1, 2):
        (tmp_path / f"000{number}-x.patch").write_text(top.format(number) + change(10 * number))
    with pytest.raises(UserError, match="patch 3/3 is missing"):
        bench.read(tmp_path)


# Ranges


def test_a_range_is_its_commits(tmp_path: Path) -> None:
    tree = clone(CASES / "tree.bundle", "base", tmp_path / "tree")
    git(tree, "fetch", "-q", str(CASES / "range-quoted-diff.bundle"), "quoted-diff:quoted-diff")
    store = Store(tmp_path / "cache")
    source = resolve(f"git:{tree}@base", store)
    series = read_series(f"{tree}:base..quoted-diff", store, source, Stop())
    applied = apply_series(store, source, series, None, silent, Stop())
    assert applied.tree == git(tree, "rev-parse", "quoted-diff^{tree}").strip()
    own, theirs = (
        [found("log", "--format=%an <%ae> %aI%n%B", name) for found, name in pairs]
        for pairs in (
            [(store.git, f"{source.commit}..{applied.commit}")],
            [(lambda *args: git(tree, *args), "base..quoted-diff")],
        )
    )
    assert own == theirs, "author, date and message are the commits' own"


ODD = [
    "many: quote\n\ndiff --git a/kernel/many.c b/kernel/many.c\n--- a/kernel/many.c\n+++ b/kernel/many.c\n"
    "@@ -1 +1 @@\n-int line0;\n+int other;\n",
    "[2/2] many: a number",
    "[v2] many: a version",
    "many: a rule\n\ndiff - between the two\n\nSigned-off-by: T <t@example.org>\n",
    "many: a line\n\n---\nbelow\n",
    "many: a header\n\nFrom: Somebody Else <else@example.org>\nSubject: other\n\ntext",
    "many: nothing",
    "many: From \n\nFrom a@b Mon Sep 17 12:00:00 2001\nSubject: x\n",
]


@pytest.mark.slow
def test_no_message_changes_what_a_range_is(tmp_path: Path) -> None:
    """On its own base, and on another tree, where the commits are applied as patches."""
    repo = make_repo(tmp_path / "linux")
    git(repo, "tag", "start")
    for number, message in enumerate(ODD, 1):
        files = {} if message == "many: nothing" else {f"kernel/new{number}.c": f"int x{number};\n"}
        commit(repo, message, files)
    (repo / "logo.bin").write_bytes(bytes(range(256)))
    commit(repo, "many: binary")
    git(repo, "checkout", "-q", "-b", "other", "start")
    commit(repo, "other: base", {"kernel/fork.c": "int other;\n"})
    store = Store(tmp_path / "cache")
    source, other = resolve(f"git:{repo}@start", store), resolve(f"git:{repo}@other", store)
    series = read_series(f"{repo}:start..main", store, source, Stop())
    assert [patch.number for patch in series.patches] == list(range(1, len(ODD) + 2))
    for number in range(1, len(ODD) + 2):
        applied = apply_series(store, source, series, number, silent, Stop())
        back = len(ODD) + 1 - number
        assert applied.tree == git(repo, "rev-parse", f"main~{back}^{{tree}}").strip()
    git(repo, "-c", "core.editor=true", "rebase", "-q", "--keep-empty", "--onto", "other", "start", "main")
    trees = [patch for patch in series.patches if patch.subject != "many: nothing"]
    assert len(trees) == len(ODD)
    moved = apply_series(store, other, series, None, silent, Stop())
    assert moved.failure is None, str(moved.failure)
    assert moved.tree == git(repo, "rev-parse", "main^{tree}").strip()


def test_a_commit_whose_author_git_refuses_by_now(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "linux")
    git(repo, "tag", "start")
    commit(repo, "many: odd", {"kernel/n.c": "int x;\n"})
    raw = re.sub(r"(?m)^author .*$", "author Nobody 12 +0000", git(repo, "cat-file", "commit", "HEAD"))
    odd = git(repo, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=raw.encode()).strip()
    store = Store(tmp_path / "cache")
    series = read_series(f"{repo}:start..{odd}", store, None, Stop())
    applied = apply_series(store, resolve(f"git:{repo}@start", store), series, None, silent, Stop())
    assert applied.tree == git(repo, "rev-parse", "main^{tree}").strip()
    assert series.patches[0].author == "unknown <unknown@localhost>"


def test_one_commit_of_a_range(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "linux")
    git(repo, "tag", "start")
    for number in (1, 2, 3):
        commit(repo, f"many: {number}", {f"kernel/n{number}.c": "int x;\n"})
    store = Store(tmp_path / "cache")
    series = read_series(f"{repo}:start..main", store, None, Stop(), ThreadChoice(only=2))
    assert [patch.subject for patch in series.patches] == ["many: 2"]
    assert series.start is not None
    assert series.start.commit == git(repo, "rev-parse", "main~2").strip()
    with pytest.raises(UserError, match="holds 3 commits, so none has number 4"):
        read_series(f"{repo}:start..main", store, None, Stop(), ThreadChoice(only=4))


def test_two_histories_have_no_base(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "linux")
    git(repo, "checkout", "-q", "--orphan", "alone")
    commit(repo, "alone: start")
    with pytest.raises(UserError, match="no commit in common to be the base"):
        read_range([repo], "main", "alone", Store(tmp_path / "cache"), Stop())
