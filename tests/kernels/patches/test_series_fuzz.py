# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails, threads, diffs and quilt patches that were mutated: each is read, or refused with one line."""

import random
import time
from pathlib import Path

import pytest

from kernels.mail.diff import check, scan, with_strip
from kernels.mail.headers import date, decode_words
from kernels.mail.mail import parse
from kernels.mail.mailbox import split
from kernels.mail.thread import ThreadChoice, pick
from kernels.patches.kinds.patch_folder import dep3
from util.errors import UserError

CASES = Path(__file__).parent.parent / "cases" / "series"
INPUTS = 150
"""For each seed; a campaign of an hour takes a loop over seeds."""
TOKENS = [
    b"From: ", b"Subject: [PATCH v2 2/3] ", b"\n", b"\n\n", b"---\n", b"+++ b/x\n", b"--- a/x\n",
    b"@@ -1,2 +1,2 @@\n", b"diff --git ", b"=?utf-8?q?", b"?=", b"Content-Type: multipart/mixed; boundary=b\n",
    b"--b\n", b"\0", b"\xff", b"charset=", b"format=flowed", b"References: <a1@example.org>\n", b"9" * 300,
    b'rename from "\\303\n', b"Date: ", b"index 4e4a95b..0120ab2 100644\n", b"new file mode 120000\n",
    b"From x Mon Sep 17 12:34:56 2001\n", b"#", b"Content-Transfer-Encoding: base64\n", b"\r\n", b"/dev/null",
    b"Content-Transfer-Encoding: quoted-printable\n", b"filename*0*=x", b";", b'"',
]  # fmt: skip


def mutated(dice: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(dice.choice(seeds) + (dice.choice(seeds) if dice.random() < 0.3 else b""))
    for _ in range(dice.randint(1, 8)):
        place, kind = dice.randrange(len(data) + 1), dice.random()
        if kind < 0.4:
            data[place:place] = dice.choice(TOKENS)
        elif kind < 0.6:
            del data[place : place + dice.randint(1, 200)]
        elif kind < 0.8 and data:
            data[place - 1] = dice.randrange(256)
        else:
            other = dice.randrange(len(data) + 1)
            data[place:place] = data[other : other + dice.randint(1, 400)]
    return bytes(data)


def read_as_thread(data: bytes, choice: ThreadChoice) -> None:
    mails = [mail for raw in split(data, "x") for mail in parse(raw, "x")]
    for mail in mails:
        assert mail.subject.isprintable() and mail.sender.isprintable()
        assert b"\nFrom " not in mail.mbox()
    for mail in pick(mails, "x", choice).patches:
        check(scan(mail.body))


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(4))
def test_what_is_mutated_is_read_or_refused(seed: int) -> None:
    dice = random.Random(seed)
    files = [file for file in CASES.rglob("*") if file.suffix in (".patch", ".mbox", ".mbx", ".eml")]
    seeds = [file.read_bytes() for file in sorted(files)]
    read = refused = 0
    for _ in range(INPUTS):
        data = mutated(dice, seeds)
        begun = time.process_time()
        for reader in (
            lambda data=data: read_as_thread(data, ThreadChoice()),
            lambda data=data: read_as_thread(data, ThreadChoice(revision=1)),
            lambda data=data: read_as_thread(data, ThreadChoice(only=2)),
            lambda data=data: with_strip(data, 0),
            lambda data=data: with_strip(data, 2),
            lambda data=data: dep3(data, Path("x.patch"), "x"),
            lambda data=data: (date(data[:60].decode("latin-1")), decode_words(data.decode("latin-1"))),
        ):
            try:
                reader()
                read += 1
            except UserError as error:
                assert "\n" not in str(error)
                refused += 1
        assert time.process_time() - begun < 1
    assert read > INPUTS
    assert refused > INPUTS
