# SPDX-License-Identifier: GPL-2.0-or-later
"""Text of strangers on its way to a terminal."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.report import terminal
from ci.report.formats import json_report
from ci.report.progress import listener
from tests.ci.samples import built, judged, ran
from tests.command import own_cache
from util.events import Event, Phase
from util.paths import ROOT
from util.text import one_line, plain

EVIL = "\x1b[2J\x1b[31mFAKE\x9b1m\u202e\ud800[/red]\x07"
CASES = ROOT / "tests" / "kernels" / "cases" / "series"


@given(st.text())
def test_what_is_printed_can_be_printed(text: str) -> None:
    assert plain(text).replace("\n", "").replace("\t", "").isprintable()
    assert one_line(text).isprintable()
    assert plain(plain(text)) == plain(text)


def test_text_that_is_fine_stays() -> None:
    for text in ("", "größer\n\tgrün 100 %", "C:\\path 'quoted'"):
        assert plain(text) == text
    assert plain("a\x1b[0m'\\") == "a\\x1b[0m'\\"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("term", ["xterm", "dumb"])
@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
@pytest.mark.parametrize("phase", list(Phase))
def test_no_listener_shows_what_a_terminal_obeys(
    monkeypatch: pytest.MonkeyPatch, kind: type[io.StringIO], phase: Phase, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    stream = kind()
    with listener(False, stream) as hear:
        hear(Event(f"apply {EVIL}", Phase.START, EVIL))
        hear(Event(f"apply {EVIL}", phase, EVIL, 1, 2, "patches"))
    shown = stream.getvalue()
    assert "FAKE" in shown
    for code in ("\x1b[2J", "\x1b[31mFAKE", "\x9b", "\u202e", "\x07"):
        assert code not in shown


@pytest.mark.parametrize("colour", [False, True])
def test_no_report_shows_what_a_terminal_obeys(colour: bool) -> None:
    broken = built("patched", ok=False).model_copy(update={"failure": f"a.c:1: error: {EVIL}", "log_tail": (EVIL,)})
    run = judged([ran("base", {})], [built("base"), broken])
    assert run.series is not None
    run = run.model_copy(update={"series": run.series.model_copy(update={"title": EVIL, "warnings": (EVIL,)})})
    assert "note    " in terminal.render(run, colour=colour)
    valid = run.model_copy(update={"series": None, "summary": EVIL.replace("\ud800", "")})
    valid = valid.model_copy(update={"builds": (), "comparisons": ()})
    for text in (terminal.render(run, colour=colour), json_report.dump(run), json_report.dump(valid)):
        assert "FAKE" in text
        for code in ("\x1b[2J", "\x1b[31mFAKE", "\x9b", "\u202e", "\x07"):
            assert code not in text
    assert json.loads(json_report.dump(run))["series"]["title"].startswith("\x1b[2J"), "JSON loses nothing"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--quiet"]])
def test_a_hostile_series_on_a_terminal(tmp_path: Path, arguments: list[str]) -> None:
    """`rig.py check` on a pseudo terminal: the progress display, the error line and the report."""
    tree = tmp_path / "tree"
    subprocess.run(["git", "clone", "-q", "-b", "base", str(CASES / "tree.bundle"), str(tree)], check=True)
    command = [
        sys.executable, str(ROOT / "rig.py"), "check", "--source", str(tree), "--arch", "x86_64", "--abi", "x86_64",
        "--suite", "boot", "--out", str(tmp_path / "out"), "--series", str(CASES / "security/ansi-hunk.patch"),
        *arguments,
    ]  # fmt: skip
    leader, follower = pty.openpty()
    environment = own_cache(tmp_path) | {"TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment, cwd=ROOT)
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    process.wait()
    assert process.returncode == (2 if arguments == ["--dry-run"] else 1), shown
    assert b"\x1b[2J" not in shown
    assert b"\x1b[31mFAKE" not in shown
    if arguments != ["--quiet"]:
        assert b"FAKE" in shown
