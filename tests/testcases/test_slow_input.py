# SPDX-License-Identifier: GPL-2.0-or-later
"""No text that a guest prints takes longer to read than its length explains.

What a reader of linear time does in a tenth of the bound, on a busy machine in half of it, takes one of quadratic time
minutes: the bound on processor time need not be close. Coverage is not measured here: it would double the time, and
other tests execute the same lines.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guests.crash.outcome import End, Outcome, StepOutcome
from guests.crash.scan import scan, split_lines
from guests.crash.splats import default_table
from initramfs.job import Step
from testcases.ktap import parse
from testcases.reading import read_step

SIZE = 250_000
BOUND = 10.0
WHOLE = Outcome(End.FINISHED, "", (), (), Path("console.log"), (), "tcg", "7.2", 1.0)

PIECES = {
    "word characters": "w",
    "dots": ".\n",
    "dots of one line": ".",
    "hashes": "# ",
    "hash lines": "# \n",
    "blanks": " ",
    "subtest blanks": "# Subtest:" + " " * 40_000 + "\n",
    "results": "ok 1\n",
    "bare results": "ok\n",
    "bare failures": "not ok\n",
    "failures": "not ok 1 a\n",
    "directives": "not ok 1 x # SKIP # TODO # XFAIL\n",
    "one long directive": "# SKIP ",
    "underscores": "ok 1 # SKIP a" + "_" * 3000 + "!\n",
    "stairs": "".join(f"{' ' * (level % 40)}ok 1 a\n" for level in range(200)),
    "plans": "1..1\n",
    "headers": "TAP version 13\n1..2\nok 1 a\n",
    "harness": "# a.c:1:a:said\nnot ok 1 a\n",
    "harness without end": "#" + "a" * 500 + ".c:",
    "not found": "a: not found",
    "not found lines": "x/y/z not found\n",
    "stamps": "[    1.000000] ",
    "stamp beginnings": "[ 1[ 1<1>",
    "totals": "# Totals: pass:1" + " a:1" * 50 + "\n",
    "carriage returns": "\r",
    "bugs": "BUG: ",
    "bug lines": "BUG: a\n",
    "different bugs": "".join(f"BUG: {chr(97 + n % 26) * (n % 50)}\n" for n in range(500)),
    "warnings": "WARNING: [" + "] " * 200 + "\n",
    "warning brackets": "WARNING: [] ",
    "oops names": "a, " * 100 + ": 0 [#1\n",
    "oops counters": " [#1] [#",
    "hex before a counter": "0 " * 200 + "[#\n",
    "traces": "Call Trace:\n f+0x1/0x2\n",
    "frames": " f+0x1/0x2 [" + "m" * 200 + "\n",
    "places": "RIP: 0010:" + "a" * 800 + "\n",
    "lockdep without a trace": "WARNING: possible circular locking dependency detected\n" + "talk\n" * 30,
    "kasan without an end": "BUG: KASAN: a-b in f+0x1/0x2\nCall Trace:\n g+0x1/0x2\n",
    "one report": "BUG: KASAN: a-b in f\n" + "talk " * 1000 + "\n",
    "kcsan": "BUG: KCSAN: " + "a-" * 400 + "\n",
    "ubsan": "UBSAN: " + "a b" * 300 + " in\n",
    "slab": "BUG a (Tainted: " + "G" * 300 + "\n",
    "hung": "INFO: task " + ":1 " * 300 + "\n",
    "odebug": "ODEBUG: a b " + "object type " * 90 + "\n",
    "lists": "list_add " * 100 + "\n",
    "refcounts": "refcount_t: " * 90 + "\n",
    "locks": "WARNING: " + "a/1 " * 200 + "locks held!\n",
    "lost": "** 1 printk messages dropped **\n",
    "magic keys": "sysrq: Show a\nCall Trace:\n",
}


def _scan(text: str) -> object:
    return scan(split_lines(text.encode()), default_table(), ["a"], lambda _offset: "")


def _read(how: str, value: int, stdout: str, stderr: str) -> object:
    step = StepOutcome(Step("prog", ("./prog",)), how, value, 1.0, stdout.encode(), stderr.encode())
    return read_step(step, WHOLE)


READERS: dict[str, Callable[[str], object]] = {
    "console": _scan,
    "ktap": parse,
    "ktap with a header": lambda text: parse(f"TAP version 13\n1..3\n{text}"),
    "failing program": lambda text: _read("exited", 1, text, text),
    "skipping program": lambda text: _read("exited", 4, text, text),
    "passing program": lambda text: _read("exited", 0, text, text),
    "killed program": lambda text: _read("signalled", 9, f"TAP version 13\n1..3\n{text}", text),
}


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("piece", PIECES)
def test_a_quarter_of_a_megabyte_is_read_at_once(reader: str, piece: str) -> None:
    text = PIECES[piece] * (SIZE // len(PIECES[piece]) + 1)
    started = time.process_time()
    READERS[reader](text)
    assert time.process_time() - started < BOUND
