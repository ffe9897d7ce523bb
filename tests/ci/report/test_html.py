# SPDX-License-Identifier: GPL-2.0-or-later
"""report.html as text: what it holds, and that nothing of a run becomes markup. `tests/web` opens it in a browser."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.variants import SeriesRecord
from ci.model.verdicts import Effect, KnownIssue, KnownOutcome, KnownState
from ci.report.html import page
from ci.report.html.clean import clean, file_address, web_address
from ci.verdict.conclude import conclude
from configs.result import Cell, Figure, Status, TestResult
from guests.crash.outcome import Fault
from tests.ci.report.test_reports import busy_run
from tests.ci.report.test_wall import measured
from tests.ci.samples import PANIC, SPLAT, TODAY, built, judged, not_run, ran, run_of

P, F, S = Status.PASS, Status.FAIL, Status.SKIP


class Reader(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def everywhere(word: str) -> Run:
    """A run in which every text that a series, a kernel, a guest or a file can choose is `word`."""
    test = TestResult(word, F, 0.0, word, word, word, figures=(Figure(word, 1, word),))
    fault = Fault(word, word, (f"BUG {word}",), (word,), True, word)
    base = ran("base", {}).model_copy(update={"tests": (TestResult(word, P),)})
    bad = ran("patched", {}).model_copy(
        update={
            "tests": (test,), "faults": (fault,), "console_tail": ("a", f"BUG {word}"), "notes": (word,),
            "state": (word,),
            "message": word, "machine": word, "command": (word,), "reproduce": (word,),
        }
    )  # fmt: skip
    run = conclude(run_of([base, bad, not_run("patched", word, abi="x32")], [built("base")]), [], TODAY)
    patch = run.series.patches[0].model_copy(update={"subject": word, "author": word}) if run.series else None
    assert patch
    check = CellResult(
        cell=Cell("patched", "-", "-", "-", "checkpatch"), tests=(TestResult(f"0001 {word}", P, output=word),)
    )
    issue = KnownIssue(test=word, reason=word, link=word, expires=word, where=word)
    known = KnownOutcome(issue=issue, state=KnownState.MATCHED, effect=Effect.NONE, message=word)
    return run.model_copy(
        update={
            "series": SeriesRecord(title=word, origin=word, patches=(patch,), warnings=(word,)),
            "source": run.source.model_copy(update={"title": word, "version": word, "commit": word, "spec": word}),
            "host": run.host.model_copy(update={"qemu": word, "guests": word}),
            "cells": (*run.cells, check), "known_issues": (known,), "summary": word, "profile": word,
            "command": (word,), "rig_version": word,
        }
    )  # fmt: skip


HOSTILE = (
    "<script>alert(1)</script>", "</script><script>alert(1)</script>",
    "</pre></code></style></title><svg onload=alert(1)>",
    '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "javascript:alert(1)",
    "data:text/html,<script>1</script>",
    "{{ 7 * 7 }}{% raw %}", "<!--", "-->", "]]>", "&lt;script&gt;", "\x00\x1b[31m\x07\x9b", "\u202egnp.exe",
    "\ud800", "`${1}`",
    "https://example.org/\" onclick=\"alert(1)", "//example.org/x", "../../etc/passwd", "\u2028\u2029",
)  # fmt: skip


@cache
def _plain() -> Reader:
    return Reader(page.render(everywhere("x")))


def assert_harmless(word: str) -> None:
    """A page full of `word` has the same elements with the same attributes as one that is full of `x`, and every
    address in it leads to the page itself, to a file beside it, or to the web."""
    text = page.render(everywhere(word))
    found, plain = Reader(text), _plain()
    links = [attributes for tag, attributes in found.elements if "rel" in attributes]
    shape = [part for part in found.shape if part != ("a", ("rel", "href"))]
    assert shape == plain.shape
    assert all(re.fullmatch(r"https?://[^\s\"'<>]+", attributes["href"]) for attributes in links)
    for _tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "srcdoc"]
        address = attributes.get("href", "")
        own = address.startswith(("#", "http://", "https://")) or re.fullmatch(r"[\w.%+-]+(/[\w.%+-]+)*", address)
        assert not address or own, address
    text.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_text_becomes_no_markup(word: str) -> None:
    assert_harmless(word)


@pytest.mark.slow
@given(st.text(st.characters(codec=None) | st.sampled_from("<>\"'&/`={}%-!"), min_size=1, max_size=60))
@example("<")
@settings(deadline=None, max_examples=60)
def test_no_text_becomes_markup(word: str) -> None:
    assert_harmless(word)


def test_nothing_runs_but_our_script_and_nothing_is_fetched() -> None:
    found = Reader(page.render(busy_run()))
    (policy,) = [attributes["content"] for _tag, attributes in found.elements if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert [tag for tag, _ in found.elements].count("script") == 1
    assert not [attributes for _tag, attributes in found.elements if "src" in attributes or "style" in attributes]
    assert not [tag for tag, _ in found.elements if tag in ("link", "iframe", "object", "embed", "base")]


def test_page_says_the_verdict_first_and_holds_every_test() -> None:
    run = busy_run()
    text = page.render(run)
    found = Reader(text)
    body = found.text.partition("Skip to the findings")[2]
    assert body.split()[:2] == ["fail", "4"]
    rows = [attributes["id"] for tag, attributes in found.elements if tag == "tr" and "data-v" in attributes]
    assert len(rows) == len(set(rows)) == len(run.comparisons)
    ids = {attributes["id"] for _tag, attributes in found.elements if "id" in attributes}
    links = {
        attributes["href"][1:] for _tag, attributes in found.elements if attributes.get("href", "").startswith("#")
    }
    assert links <= ids
    for needed in (
        "It is good on base and bad with the series, in every run of both.",
        "__seccomp_filter at kernel/seccomp.c:1034",
        "./rig.py check --arch x86_64 --abi i386 --suite selftests/seccomp",
        "unused variable 'x' [-Wunused-variable]",
        "seccomp: two",
        "stopped",
        "last line of the console",
    ):
        assert needed in found.text, needed


def test_links_of_tests_stay_the_same_from_run_to_run() -> None:
    one = judged([ran("base", {"a": P, "b": P}), ran("patched", {"a": F, "b": P})])
    other = judged([ran("base", {"b": P, "a": P}), ran("patched", {"b": P, "a": P})])
    ids = [
        {attributes["id"] for tag, attributes in Reader(page.render(run)).elements if "data-v" in attributes}
        for run in (one, other)
    ]
    assert ids[0] == ids[1]


def test_two_tests_of_one_name_have_two_links() -> None:
    twice = ran("patched", {"a": P})
    twice = twice.model_copy(update={"tests": (*twice.tests, TestResult("a", F))})
    run = judged([ran("base", {"a": P}), twice])
    run = run.model_copy(update={"comparisons": run.comparisons * 2})
    rows = [attributes["id"] for _tag, attributes in Reader(page.render(run)).elements if "data-v" in attributes]
    assert len(rows) == len(set(rows)) == len(run.comparisons) == 6


def test_splats_in_a_console_are_marked_and_their_traces_decoded(tmp_path: Path) -> None:
    fault = Fault("warn", SPLAT.title, ("WARNING: CPU: 0 PID: 1", "Call Trace:", " foo+0x1/0x2"), ("foo at a.c:1",))
    bad = ran("patched", {"a": P}, faults=[fault])
    path = tmp_path / bad.console
    path.parent.mkdir()
    path.write_text("before\n[    1.0] WARNING: CPU: 0 PID: 1\nCall Trace:\n foo+0x1/0x2\nafter\n")
    text = page.render(judged([ran("base", {"a": P}), bad]), tmp_path)
    marked = re.findall("<mark>(.*?)</mark>", text)
    assert marked[:1] == ["warn"]
    assert marked[-3:] == ["[    1.0] WARNING: CPU: 0 PID: 1", "Call Trace:", " foo+0x1/0x2"]
    assert "foo at a.c:1" in text
    assert f'href="{bad.console}"' in text


def test_a_console_outside_of_the_folder_is_neither_read_nor_linked(tmp_path: Path) -> None:
    """results.json may have come from elsewhere."""
    (tmp_path / "secret").write_text("the secret")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "secret")
    for path in ("../secret", str(tmp_path / "secret"), "link", "javascript:alert(1)", "//example.org/x"):
        bad = ran("patched", {"a": F}, faults=[PANIC]).model_copy(update={"console": path})
        text = page.render(judged([ran("base", {"a": P}), bad]), tmp_path / "out")
        assert "the secret" not in text
        assert "last line of the console" in text  # the tail that the results hold
        assert f'href="{path}"' not in text or path == "link"


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "JAVASCRIPT:x", 'https://a"b', "ftp://x", "https:// x", "http://", ""]
)
def test_what_is_no_web_address(text: str) -> None:
    assert web_address(text) == ""


def test_addresses() -> None:
    assert web_address("https://example.org/a?b=c#d") == "https://example.org/a?b=c#d"
    assert file_address("console/a b/c:d.log") == "console/a%20b/c%3Ad.log"
    assert file_address("/etc/passwd") == file_address("a/../b") == file_address("a\nb") == file_address("\\\\x") == ""


def test_what_cannot_be_seen_is_shown() -> None:
    assert clean("a\x1b[1m\tb\n\r\x9b\u202e\ud800") == "a␛[1m\tb\n␍<U+009B><U+202E>\ufffd"
    assert clean(7) == 7


def test_long_outputs_do_not_make_the_page_long() -> None:
    tests = tuple(TestResult(f"t{number}", P, output="x" * 100_000) for number in range(200))
    side = ran("patched", {}).model_copy(update={"tests": tests})
    text = page.render(judged([ran("base", {}), side]))
    assert len(text) < 1_000_000
    assert "characters left out, see results.json" in text


def test_many_findings_of_a_kind_are_counted() -> None:
    names = [f"t{number}" for number in range(50)]
    run = judged([ran("base", dict.fromkeys(names, P)), ran("patched", dict.fromkeys(names, F))])
    text = page.render(run)
    assert text.count('<article class="finding') == 8
    assert "42 more with this verdict in x86_64 x86_64 selftests/seccomp" in text


def test_results_read_back_give_the_same_page() -> None:
    run = busy_run()
    values: dict[str, Any] = json.loads(run.model_dump_json())
    assert page.render(Run.model_validate_json(json.dumps(values))) == page.render(run)


def test_wall_time_is_a_table_that_says_where_it_means_nothing() -> None:
    wall = measured([0.5] * 20)
    read = Reader(page.render(run_of([]).model_copy(update={"wall": (wall, measured([1.0] * 20, "tcg", ("lost",)))})))
    label = wall.rows[0].label
    assert f"faster ({len(wall.rows)})" in read.text
    at = read.texts.index(label)
    assert read.texts[at : at + 5] == [label, "100.0", "50.0", "0.500", "0.500 0.500"]
    assert "EMULATED (TCG): THESE TIMES SAY NOTHING ABOUT HARDWARE." in read.text
    assert "Problem: lost" in read.text
    assert "Wall time" not in Reader(page.render(busy_run())).text
