# SPDX-License-Identifier: GPL-2.0-or-later
"""Series in every form in which they come, and those that are refused."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.mail.mail import parse
from kernels.mail.mailbox import split
from kernels.mail.thread import read_tag
from kernels.patches.patch import Series
from kernels.patches.series import read_series
from kernels.source.store import Store
from tests.faketree import git, resolve
from tests.kernels.mailkit import SEPARATOR, diff_of, mail, patch_mail, write_series
from util.errors import UserError
from util.stop import Stop

SUBJECTS = ["seccomp: change 1", "seccomp: change 2", "seccomp: change 3"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return write_series(tmp_path / "linux")


def read(store: Store, tmp_path: Path, *mails: bytes) -> Series:
    path = tmp_path / "series.mbox"
    path.write_bytes(b"\n".join(mails))
    return read_series(str(path), store, None, Stop())


def refused(store: Store, tmp_path: Path, words: str, *mails: bytes) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read(store, tmp_path, *mails)
    assert "\n" not in str(caught.value)


def subjects(series: Series) -> list[str]:
    return [patch.subject for patch in series.patches]


@pytest.mark.parametrize(
    ("subject", "patch", "version", "number", "total", "rest"),
    [
        ("[PATCH v4 seccomp 2/5] seccomp/cache: Look up", True, 4, 2, 5, "seccomp/cache: Look up"),
        ("[RFC PATCH net-next v2 03/12] net: x", True, 2, 3, 12, "net: x"),
        ("[PATCH] mm: one", True, 1, None, 0, "mm: one"),
        ("[PATCHv3 1/2] x", True, 3, 1, 2, "x"),
        ("[PATCH V7 0/2] x", True, 7, 0, 2, "x"),
        ("[RFC][PATCH 1/2] x", True, 1, 1, 2, "x"),
        ("[PATCH 5.10 009/120] x", True, 1, 9, 120, "x"),
        ("[PATCH v4.1 2/5] x", True, 4, 2, 5, "x"),
        ("[RESEND PATCH v2] [media] x", True, 2, None, 0, "x"),
        ("[bug] it broke", False, 1, None, 0, "it broke"),
        ("use 1/2 of it", False, 1, None, 0, "use 1/2 of it"),
        ("", False, 1, None, 0, ""),
    ],
)
def test_tags(subject: str, patch: bool, version: int, number: int | None, total: int, rest: str) -> None:
    tag = read_tag(subject)
    assert (tag.is_patch, tag.version, tag.number, tag.total, tag.rest) == (patch, version, number, total, rest)
    assert not tag.is_answer


@pytest.mark.parametrize("prefix", ["Re: ", "RE: ", "re:", "Aw: ", "Fwd: ", "Re[2]: ", "Re: Re: "])
def test_answers(prefix: str) -> None:
    assert read_tag(prefix + "[PATCH v4 2/5] x").is_answer


def test_answers_are_told_from_subjects_that_only_start_alike() -> None:
    assert not read_tag("[PATCH 1/2] Re: x").is_answer
    assert not read_tag("Revert: x").is_answer


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_subject_breaks_the_tag_reader(subject: str) -> None:
    read_tag(subject)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_break_the_mail_reader(data: bytes) -> None:
    for raw in split(SEPARATOR + b"Subject: x\n" + data, "x"):
        try:
            for one in parse(raw, "x"):
                one.plain()
        except UserError:
            pass


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"From ", b">", b"\n", b"a", b"Subject: [PATCH 1/2] x\n", b"\r", b"\xff", b"--- a\n"]))
)
def test_no_text_of_a_mail_passes_for_a_separator(parts: list[bytes]) -> None:
    (one,) = parse(SEPARATOR + b"Subject: x\n\n" + b"".join(parts), "x")
    assert [found.body for raw in split(one.mbox(), "x") for found in parse(raw, "x")].__len__() == 1
    body = one.mbox().partition(b"\n\n")[2]
    assert not body.startswith(b"From ")
    assert b"\nFrom " not in body


# Forms


def test_format_patch_to_stdout(store: Store, tmp_path: Path, repo: Path) -> None:
    box = git(repo, "format-patch", "--stdout", "--cover-letter", "-v4", "--subject-prefix=PATCH seccomp", "start")
    box = box.replace("*** SUBJECT HERE ***", "seccomp: the title")
    series = read(store, tmp_path, box.encode())
    assert (series.title, series.version, subjects(series)) == ("seccomp: the title", 4, SUBJECTS)
    assert series.warnings == ()
    first = series.patches[0]
    assert first.author == "Jörg Tester <joerg@example.org>"
    assert first.paths == ("kernel/seccomp.c",)
    assert first.number == 1
    expected = git(repo, "patch-id", "--stable", data=diff_of(repo, 1).encode()).split()[0]
    assert first.patch_id == expected


def test_a_thread_from_a_mail_client(store: Store, tmp_path: Path, repo: Path) -> None:
    """Any order, a cover letter, answers that quote or carry diffs, trailers, and every transport encoding."""
    plain = read(store, tmp_path, *(patch_mail(repo, number) for number in (1, 2, 3)))
    quoted = "".join(f"> {line}\n" for line in diff_of(repo, 2).splitlines())
    mails = [
        mail("[PATCH v2 0/3] seccomp: the title", "Hello.\n\n kernel/seccomp.c | 3 +--\n"),
        patch_mail(repo, 1, tag="PATCH v2", encoding="base64"),
        patch_mail(repo, 2, tag="PATCH v2", encoding="quoted-printable"),
        patch_mail(repo, 3, tag="PATCH v2", encoding="base64", crlf=True),
        mail("Re: [PATCH v2 2/3] seccomp: change 2", "On Friday somebody wrote:\n" + quoted + "\nWhy?\n"),
        mail("Re: [PATCH v2 1/3] seccomp: change 1", "Try this:\n\n" + diff_of(repo, 3)),
        mail("Re: [PATCH v2 1/3] seccomp: change 1", "Reviewed-by: A Person <a@example.org>\n"),
        mail("[bot] all applied", "Thank you\n", headers="In-Reply-To: <x@y>\n"),
    ]
    for seed in range(5):
        random.Random(seed).shuffle(mails)
        series = read(store, tmp_path, *mails)
        assert subjects(series) == SUBJECTS
        assert (series.title, series.version) == ("seccomp: the title", 2)
        assert [patch.patch_id for patch in series.patches] == [patch.patch_id for patch in plain.patches]
        assert [patch.author for patch in series.patches] == [patch.author for patch in plain.patches]


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("crlf", [False, True])
def test_the_digest_does_not_know_the_transport(
    store: Store, tmp_path: Path, repo: Path, encoding: str, crlf: bool
) -> None:
    plain = read(store, tmp_path, *(patch_mail(repo, number) for number in (1, 2, 3)))
    other = read(store, tmp_path, *(patch_mail(repo, number, encoding=encoding, crlf=crlf) for number in (3, 1, 2)))
    assert other.digest == plain.digest
    assert [patch.mail for patch in other.patches] == [patch.mail for patch in plain.patches]


def test_the_digest_knows_content_and_message(store: Store, tmp_path: Path, repo: Path) -> None:
    mails = [patch_mail(repo, number) for number in (1, 2, 3)]
    digest = read(store, tmp_path, *mails).digest
    for old, new in (
        (b"int changed_10;", b"int other_10;"),
        (b"Why: number 1", b"Why: numero 1"),
        (b"09 Oct", b"10 Oct"),
    ):
        other = [mails[0].replace(old, new).replace(b"Fri, 9 Oct", b"Sat, 10 Oct" if b"Oct" in old else b"Fri, 9 Oct")]
        assert read(store, tmp_path, *other, *mails[1:]).digest != digest


def test_a_mailbox_of_b4(store: Store, tmp_path: Path, repo: Path) -> None:
    """`b4 am` writes a separator of its own, LF, 8 bit, trailers added, and no cover letter."""
    mails = [patch_mail(repo, number, tag="PATCH v3 seccomp", headers="X-Stuff: 1\n") for number in (1, 2, 3)]
    series = read(store, tmp_path, *mails)
    assert (subjects(series), series.version, series.title) == (SUBJECTS, 3, SUBJECTS[0])
    assert all(re.fullmatch(r"\d+@example.org", patch.message_id) for patch in series.patches)


def test_one_patch_without_number_and_without_separator(store: Store, tmp_path: Path, repo: Path) -> None:
    one = mail("[PATCH] seccomp: change 1", f"Why.\n---\n{diff_of(repo, 1)}", separator=False)
    series = read(store, tmp_path, one)
    assert (subjects(series), series.title, series.version) == ([SUBJECTS[0]], SUBJECTS[0], 1)
    git_show = git(repo, "show", "--format=email", "start~0").encode()
    assert subjects(read(store, tmp_path, git_show)) == ["fake: start"]


def test_unnumbered_patches_keep_their_order(store: Store, tmp_path: Path, repo: Path) -> None:
    box = git(repo, "format-patch", "--stdout", "--no-numbered", "start").encode()
    assert subjects(read(store, tmp_path, box)) == SUBJECTS


def test_a_text_that_looks_like_a_separator(store: Store, tmp_path: Path, repo: Path) -> None:
    body = f"As reported:\n\n>From a@b Mon Sep 17 12:00:00 2001\nSubject: no\n\n---\n{diff_of(repo, 1)}"
    series = read(store, tmp_path, mail("[PATCH 1/1] seccomp: change 1", body))
    assert b"\n>From a@b Mon" in series.patches[0].mail, "one level of quoting, whatever it had before"
    assert b"\n>>From" not in series.patches[0].mail
    body = f"See\nFrom a@b Mon Sep 17 12:00:00 2001\nnot a header\n---\n{diff_of(repo, 1)}"
    assert len(read(store, tmp_path, mail("[PATCH 1/1] seccomp: change 1", body)).patches) == 1
    hidden = mail(
        "[PATCH 1/1] x", f"\n\nFrom a@b Mon Sep 17 12:00:00 2001\nFrom: x\n---\n{diff_of(repo, 1)}", encoding="base64"
    )
    assert len(read(store, tmp_path, hidden).patches) == 1


def test_folded_and_encoded_headers(store: Store, tmp_path: Path, repo: Path) -> None:
    raw = (
        SEPARATOR + b"From: =?iso-8859-1?Q?J=F6rg?=\n =?utf-8?b?IFTDqXN0ZXI=?= <joerg@example.org>\n"
        b"Subject: [PATCH v9\n seccomp 1/1] seccomp: =?utf-8?q?gr=C3=BC=C3=9Fe=0AX-Evil=3A_1?=\n and more\n"
        b"Content-Type: text/plain; charset=iso-8859-1\n\nF\xfcr alle.\n---\n" + diff_of(repo, 1).encode()
    )
    series = read(store, tmp_path, raw)
    (patch,) = series.patches
    assert patch.author == "Jörg Téster <joerg@example.org>"
    assert patch.subject == "seccomp: grüße X-Evil: 1 and more"
    assert series.version == 9
    assert "Für alle.".encode() in patch.mail


def test_a_client_that_attaches(store: Store, tmp_path: Path, repo: Path) -> None:
    git(repo, "format-patch", "--attach=bb", "-1", "--output", str(tmp_path / "attached.patch"), "main")
    attached = read_series(str(tmp_path / "attached.patch"), store, None, Stop())
    inline = read(store, tmp_path, git(repo, "format-patch", "--inline=bb", "-1", "--stdout", "main").encode())
    plain = read(store, tmp_path, git(repo, "format-patch", "-1", "--stdout", "main").encode())
    assert subjects(attached) == subjects(inline) == [SUBJECTS[2]]
    assert attached.patches[0].patch_id == inline.patches[0].patch_id == plain.patches[0].patch_id


def test_patch_files_attached_to_one_mail(store: Store, tmp_path: Path, repo: Path) -> None:
    parts = [
        git(repo, "format-patch", "--stdout", "--numbered", f"--start-number={n}", "-1", f"main~{3 - n}")
        for n in (1, 2, 3)
    ]
    body = "".join(
        f"--b\nContent-Type: text/x-patch; charset=UTF-8; name=000{n}.patch\nContent-Transfer-Encoding: 8bit\n\n"
        + re.sub(r"\[PATCH.*?\]", f"[PATCH {n}/3]", part, count=1)
        for n, part in enumerate(parts, 1)
    )
    head = "From: a <a@b>\nSubject: please look\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    assert subjects(read(store, tmp_path, f"{head}{body}--b--\n".encode())) == SUBJECTS


def test_carriage_returns_that_belong_to_the_file(store: Store, tmp_path: Path, repo: Path) -> None:
    repo.joinpath("kernel/dos.c").write_bytes(b"one\r\ntwo\r\n")
    git(repo, "add", "-A")
    git(repo, "-c", "core.autocrlf=false", "commit", "-qm", "dos: add")
    box = git(repo, "format-patch", "--stdout", "-1").encode()
    (patch,) = read(store, tmp_path, box).patches
    assert b"\n+one\r\n" in patch.mail


def test_a_folder(store: Store, tmp_path: Path, repo: Path) -> None:
    out = tmp_path / "out"
    git(repo, "format-patch", "--cover-letter", "-o", str(out), "start")
    cover = out / "0000-cover-letter.patch"
    cover.write_text(cover.read_text().replace("*** SUBJECT HERE ***", "a title"))
    (out / "notes.txt").write_text("mine\n")
    (out / ".0004-x.patch.swp").write_text("x")
    series = read_series(str(out), store, None, Stop())
    assert (subjects(series), series.title, series.origin) == (SUBJECTS, "a title", str(out))
    files = sorted(out.glob("*.patch"))
    files[2].unlink()
    with pytest.raises(UserError, match="file with number 0002 is missing"):
        read_series(str(out), store, None, Stop())
    for file in out.glob("*.patch"):
        file.unlink()
    with pytest.raises(UserError, match="holds no patch"):
        read_series(str(out), store, None, Stop())


def test_a_folder_of_mails_without_separators_and_numbers(store: Store, tmp_path: Path, repo: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for number in (1, 2, 3):
        (out / f"{number}.eml").write_bytes(patch_mail(repo, number, separator=False, encoding="base64"))
    (out / "README").write_text("about\n")
    assert subjects(read_series(str(out), store, None, Stop())) == SUBJECTS


def test_a_git_range(store: Store, tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(repo, "config", "format.coverLetter", "true")
    git(repo, "config", "format.subjectPrefix", "STRANGE")
    git(repo, "config", "diff.noprefix", "true")
    git(repo, "config", "format.attach", "xx")
    git(repo, "config", "diff.external", "false")
    named = read_series(f"{repo}:start..main", store, None, Stop())
    assert subjects(named) == SUBJECTS
    assert (named.version, named.warnings) == (1, ())
    monkeypatch.chdir(repo)
    assert read_series("start..", store, None, Stop()).digest == named.digest
    monkeypatch.chdir(tmp_path)
    source = resolve(f"git:{repo}@start", store)
    assert read_series("start..main", store, source, Stop()).digest == named.digest
    assert subjects(read_series(f"{repo}:main~2..main~1", store, None, Stop())) == [SUBJECTS[1]]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{repo}:nothing..main", "no such range of commits"),
        ("{repo}:main..main", "holds no patch"),
        ("{repo}:main..start", "holds no patch"),
        ("{repo}:--output=x..main", "no such range"),
        ("{repo}/nothing.mbox", "no such file or folder"),
        ("start...main", "no such file or folder"),
    ],
)
def test_bad_specs(store: Store, repo: Path, spec: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_series(spec.format(repo=repo), store, None, Stop())


@pytest.mark.parametrize("before", [b"\n\n", b"\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("separator", [True, False])
def test_what_an_editor_left_before_the_first_line(
    store: Store, tmp_path: Path, repo: Path, before: bytes, separator: bool
) -> None:
    found = read(store, tmp_path, before + patch_mail(repo, 1, 1, separator=separator))
    assert subjects(found) == SUBJECTS[:1] and found.patches[0].author == "Jörg Tester <joerg@example.org>"


# What is refused


def test_a_number_is_missing(store: Store, tmp_path: Path, repo: Path) -> None:
    refused(store, tmp_path, r"patch 2/3 is missing", patch_mail(repo, 1), patch_mail(repo, 3))
    refused(store, tmp_path, r"patch 1/3, 2/3 is missing", patch_mail(repo, 3))


def test_two_versions_are_mixed(store: Store, tmp_path: Path, repo: Path) -> None:
    mails = [patch_mail(repo, 1), patch_mail(repo, 2, tag="PATCH v2"), patch_mail(repo, 3)]
    refused(store, tmp_path, "two versions are mixed, v1 and v2", *mails)
    one = [mail(f"[PATCH{v}] x{n}", f"---\n{diff_of(repo, n)}") for v, n in (("", 1), (" v2", 2))]
    series = read(store, tmp_path, *one)
    assert subjects(series) == ["x2"], "two revisions of one patch: the later is the series, as b4 says"
    assert "v2 was taken and v1 (1 patch) passed over" in series.warnings[0]


def test_two_series_are_mixed(store: Store, tmp_path: Path, repo: Path) -> None:
    refused(store, tmp_path, "two series are mixed", patch_mail(repo, 1, 2), patch_mail(repo, 2, 3))


def test_a_number_twice(store: Store, tmp_path: Path, repo: Path) -> None:
    mails = [patch_mail(repo, number) for number in (1, 2, 3)]
    series = read(store, tmp_path, *mails, mails[1])
    assert subjects(series) == SUBJECTS
    assert "patch 2/3 is there twice" in series.warnings[0]
    other = mails[1].replace(b"changed_20", b"other_20")
    refused(store, tmp_path, "patch 2/3 is there twice, with different content", *mails, other)


def test_a_number_beyond_the_total(store: Store, tmp_path: Path, repo: Path) -> None:
    refused(store, tmp_path, "is patch 3 of 2", *(patch_mail(repo, number, 2) for number in (1, 2, 3)))


def test_no_patch_at_all(store: Store, tmp_path: Path, repo: Path) -> None:
    refused(store, tmp_path, "holds no patch")
    refused(store, tmp_path, "holds no patch", mail("hello", "world"))
    refused(store, tmp_path, r"no patch \(1 answers", mail("Re: [PATCH 1/1] x", diff_of(repo, 1)))
    refused(store, tmp_path, "patch 1/1 has no diff", mail("[PATCH 1/1] x", "forgotten"))
    refused(store, tmp_path, "bare diff without author", diff_of(repo, 1).encode())


def test_a_diff_without_number_among_numbered_ones(store: Store, tmp_path: Path, repo: Path) -> None:
    mails = [patch_mail(repo, number) for number in (1, 2, 3)]
    extra = mail("[PATCH] fixup", f"---\n{diff_of(repo, 1)}")
    refused(store, tmp_path, "has a diff but no number", *mails, extra)
    answer = mail("[PATCH] fixup", f"---\n{diff_of(repo, 1)}", headers="In-Reply-To: <x@y>\n")
    series = read(store, tmp_path, *mails, answer)
    assert subjects(series) == SUBJECTS
    assert "was left out" in series.warnings[0]


def test_an_answer_with_a_diff_to_a_patch_without_number(store: Store, tmp_path: Path, repo: Path) -> None:
    one = mail("[PATCH] seccomp: change 1", f"---\n{diff_of(repo, 1)}")
    answer = mail("better so", f"What about\n\n{diff_of(repo, 2)}", headers="References: <x@y>\n")
    series = read(store, tmp_path, answer, one)
    assert subjects(series) == SUBJECTS[:1]
    assert "'better so' is an answer with a diff" in series.warnings[0]
    assert subjects(read(store, tmp_path, answer)) == ["better so"]


def test_a_cover_letter_of_another_version(store: Store, tmp_path: Path, repo: Path) -> None:
    mails = [patch_mail(repo, number) for number in (1, 2, 3)]
    series = read(store, tmp_path, mail("[PATCH v2 0/3] other", "x"), *mails)
    assert series.title == SUBJECTS[0]
    assert "another version than v1" in series.warnings[0]


def test_text_that_cannot_be_read(store: Store, tmp_path: Path, repo: Path) -> None:
    tail = b"---\n" + diff_of(repo, 1).encode()
    head = SEPARATOR + b"From: a <a@b>\nSubject: [PATCH] x\n"
    refused(store, tmp_path, "NUL bytes", head + b"\nzero \0 byte\n" + tail)
    unknown = b"Content-Type: text/plain; charset=x-klingon\n\n"
    refused(store, tmp_path, "neither valid x-klingon nor UTF-8", head + unknown + b"\xff\xfe\n" + tail)
    assert len(read(store, tmp_path, head + unknown + b"plain\n" + tail).patches) == 1
    series = read(store, tmp_path, head + b"\nf\xfcr\n" + tail)
    assert "für".encode() in series.patches[0].mail
    assert "taken as Latin-1" in series.warnings[0]


def test_absurd_size_and_depth(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.mail.mailbox.MAX_BYTES", 1 << 20)
    refused(store, tmp_path, "larger than 1 MiB", b"x" * ((1 << 20) + 1))
    deep = b"From: a <a@b>\nSubject: x\n"
    for level in range(500):
        deep += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level)
    refused(store, tmp_path, "more than 100 parts|cannot be read as a mail|holds no patch", deep)
    wide = b"From: a <a@b>\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 200
    refused(store, tmp_path, "more than 100 parts", wide)


def test_a_patch_without_author(store: Store, tmp_path: Path, repo: Path) -> None:
    raw = SEPARATOR + b"Subject: [PATCH] x\n\n---\n" + diff_of(repo, 1).encode()
    refused(store, tmp_path, "without author", raw)
    refused(store, tmp_path, "no From: header", mail("hello", "x"), raw)
