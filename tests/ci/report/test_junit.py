# SPDX-License-Identifier: GPL-2.0-or-later
"""The JUnit files, read back with junitparser: what gates must gate, and GitLab must be able to read all of it."""

from datetime import date
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import junitparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.model.results import Run
from ci.model.verdicts import Effect, KnownEntry, TestVerdict
from ci.report.formats import junit
from ci.report.output import write_reports
from ci.verdict.conclude import conclude
from ci.verdict.known import Issue
from configs.result import Status, TestResult
from tests.ci.samples import PANIC, SPLAT, TODAY, built, judged, not_run, ran, run_of

P, F, S, M, E = Status.PASS, Status.FAIL, Status.SKIP, Status.MISS, Status.ERROR


def cases(text: str) -> dict[str, junitparser.TestCase]:
    """Every case of the document by `classname:name`; two of the same name are an error, as GitLab drops one."""
    found: dict[str, junitparser.TestCase] = {}
    for suite in junitparser.JUnitXml.fromstring(text.encode()):
        for case in suite:
            key = f"{case.classname}:{case.name}"
            assert key not in found
            found[key] = case
    return found


def kinds(case: junitparser.TestCase) -> list[str]:
    return [type(result).__name__ for result in case.result]


def gate(run: Run) -> dict[str, list[str]]:
    return {key.rpartition(":")[2]: kinds(case) for key, case in cases(junit.gate(run)).items()}


def test_what_gates() -> None:
    run = judged(
        [
            ran("base", {"same": P, "worse": P, "sick": F, "mended": F, "skipped": S, "lost": P, "gone": P}),
            ran("patched", {"same": P, "worse": F, "sick": F, "mended": P, "skipped": S, "lost": M, "fresh": P}),
        ]
    )
    assert gate(run) == {
        "apply": [],
        "same": [],
        "worse": ["Failure"],
        "sick": ["Skipped"],
        "mended": [],
        "skipped": ["Skipped"],
        "lost": ["Error"],
        "fresh": [],
        "gone": ["Failure"],
        "guest/end": [],
    }


def test_case_carries_what_gitlab_reads() -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {"a": F})])
    case = cases(junit.gate(run))["x86_64.x86_64.plain.selftests.seccomp:a"]
    assert case.time == 0.25
    (element,) = [item for item in ElementTree.fromstring(junit.gate(run)).iter("testcase") if item.get("name") == "a"]
    assert element.get("file") == "tools/testing/selftests/seccomp/seccomp_bpf.c"
    assert case.system_out is None
    (failure,) = case.result
    assert failure.text.count("# a: expected 0, got -1") == 1
    assert failure.type == "regression"
    assert failure.text.splitlines()[0] == "regression: a said FAIL (base PASS; patched FAIL)"
    assert failure.message == failure.text.splitlines()[0]


def test_failure_text_is_enough_to_start_work() -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {"a": P}, end="panic", faults=[PANIC])])
    (failure,) = cases(junit.gate(run))["x86_64.x86_64.plain.selftests.seccomp:guest/end"].result
    for needed in (
        "__seccomp_filter at kernel/seccomp.c:1034",
        "last line of the console",
        "complete console: patched-x86_64-x86_64/console.log",
        "repeat by hand: ./rig.py check --arch x86_64 --abi x86_64 --suite selftests/seccomp",
        "repeat by hand: qemu-system-x86_64 -M microvm,acpi=off -append 'console=ttyS0 panic=-1'",
        "accelerator tcg",
    ):
        assert needed in failure.text


def test_time_is_always_there() -> None:
    root = ElementTree.fromstring(junit.gate(judged([ran("base", {"a": P}), ran("patched", {"a": P})])))
    listed = list(root.iter("testcase"))
    assert listed and all(case.get("time") and case.get("classname") and case.get("name") for case in listed)


def test_builds_and_cells_without_guest() -> None:
    run = judged([ran("base", {"a": P}), not_run("patched", "no kernel")], [built("base"), built("patched", ok=False)])
    assert gate(run) == {"apply": [], "kernel": ["Failure"], "cell": ["Error"]}
    (failure,) = cases(junit.gate(run))["x86_64.plain.build:kernel"].result
    assert "kernel/seccomp.c:42:1: error:" in failure.text and "make[1]: ***" in failure.text


def test_known_issues() -> None:
    given_fields = {"test": "a", "reason": "because", "link": "https://example.org/1", "expires": date(2026, 12, 31)}
    entry = Issue(KnownEntry.model_validate(given_fields), "known.yaml:2")
    known = conclude(run_of([ran("base", {"a": F}), ran("patched", {"a": F})]), [entry], TODAY)
    assert gate(known)["a"] == ["Skipped"]
    (skipped,) = cases(junit.gate(known))["x86_64.x86_64.plain.selftests.seccomp:a"].result
    assert "because" in skipped.message and "https://example.org/1" in skipped.message
    stale = conclude(run_of([ran("base", {"a": P}), ran("patched", {"a": P})]), [entry], TODAY)
    assert gate(stale)["2 a"] == ["Failure"]


def test_raw_is_one_side_as_it_ran() -> None:
    sick = ran("base", {"ok": P, "bad": F, "odd": E, "lost": M, "not": S}, faults=[SPLAT])
    again = ran("base", {"ok": F}, attempt=1)
    run = judged([sick, again, ran("patched", {"ok": P}), not_run("base", "no toolchain", abi="x32")], [built("base")])
    found = {key.partition(":")[2]: kinds(case) for key, case in cases(junit.raw(run, "base")).items()}
    assert found == {
        "kernel": [],
        "ok": [],
        "bad": ["Failure"],
        "odd": ["Error"],
        "lost": ["Error"],
        "not": ["Skipped"],
        "guest/end": [],
        f"guest/fault/{SPLAT.title}": ["Failure"],
        "cell": ["Error"],
    }


def test_same_name_twice_is_kept_twice() -> None:
    twice = ran("patched", {"a": P})
    twice = twice.model_copy(update={"tests": (*twice.tests, TestResult("a", F))})
    assert gate(judged([ran("base", {"a": P}), twice]))  # cases() asserts that names differ
    assert {"a", "a (2)"} <= {key.rpartition(":")[2] for key in cases(junit.raw(judged([twice]), "patched"))}


@given(st.text(st.characters(codec=None), max_size=200), st.text(st.characters(codec=None), min_size=1, max_size=60))
@settings(deadline=None)
def test_any_text_gives_xml(text: str, name: str) -> None:
    bad = ran("patched", {}).model_copy(update={"tests": (TestResult(name, F, 0.0, text, text, text),)})
    run = judged([ran("base", {}), bad])
    for document in (junit.gate(run), junit.raw(run, "patched")):
        ElementTree.fromstring(document)
        document.encode("utf-8")


def test_control_characters_and_colours_are_scrubbed() -> None:
    output = "\x1b[31mred\x1b[0m\x00\x07 bell\r\nnext\rline \ud800 ￾ end"
    bad = ran("patched", {}).model_copy(update={"tests": (TestResult("a", F, 0.0, "m", output),)})
    case = cases(junit.raw(judged([bad]), "patched"))["x86_64.x86_64.plain.selftests.seccomp:a"]
    assert case.result[0].text == "m\nred\ufffd\ufffd bell\nnext\nline \ufffd \ufffd end"
    assert case.system_out is None


@pytest.mark.slow
def test_sizes_are_bounded() -> None:
    """GitLab: 30 MB for a file, 10 MB for a text node. Nothing of it may be lost in silence."""
    huge = "<&>" * 100_000
    tests = tuple(TestResult(f"t{number}", F, 0.0, "bad", huge) for number in range(2000))
    side = ran("patched", {}).model_copy(update={"tests": tests})
    text = junit.raw(run_of([side]), "patched")
    assert len(text.encode()) < 20_000_000
    few = junit.raw(run_of([side.model_copy(update={"tests": tests[:2]})]), "patched")
    assert "characters left out" in few and len(few) < 6 * 5 * 16 * 1024
    assert escape("<&>" * 100) in few


suites = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(list(Status)), min_size=1)


@pytest.mark.slow
@given(suites, suites, st.sampled_from(["finished", "panic", "qemu-died"]))
@settings(deadline=None)
def test_gate_says_what_the_exit_status_says(base: dict[str, Status], patched: dict[str, Status], end: str) -> None:
    run = judged([ran("base", base), ran("patched", patched, end=end)])
    found = [kind for kinds_of in gate(run).values() for kind in kinds_of]
    assert ("Failure" in found) == (run.exit_code == 1)
    if run.exit_code == 3:
        assert "Error" in found
    for item in run.comparisons:
        if item.verdict is TestVerdict.REGRESSION:
            assert item.effect is Effect.FAIL and gate(run)[item.test] == ["Failure"]


@pytest.mark.parametrize("variant", ["base", "patched"])
def test_counts_agree(variant: str) -> None:
    run = judged([ran("base", {"a": P, "b": F}), ran("patched", {"a": F, "b": F, "c": S})])
    xml = junitparser.JUnitXml.fromstring(junit.raw(run, variant).encode())
    results = [result for suite in xml for case in suite for result in case.result]
    assert xml.failures == sum(isinstance(result, junitparser.Failure) for result in results)
    assert xml.errors == sum(isinstance(result, junitparser.Error) for result in results)
    assert xml.tests == sum(1 for suite in xml for _ in suite)


def test_every_report_names_the_sandbox_of_the_builds() -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {"a": P})])
    for text in (junit.gate(run), junit.raw(run, "base")):
        found = [
            item.get("value") for item in ElementTree.fromstring(text).iter("property") if item.get("name") == "sandbox"
        ]
        assert found and set(found) == {"bwrap"}


def test_a_console_is_the_attachment_of_what_counts() -> None:
    run = judged([ran("base", {"a": P, "b": P}), ran("patched", {"a": F, "b": P})])
    found = cases(junit.gate(run, "out/here"))
    prefix = "x86_64.x86_64.plain.selftests.seccomp:"
    assert found[f"{prefix}a"].system_out == "[[ATTACHMENT|out/here/patched-x86_64-x86_64/console.log]]\n"
    assert found[f"{prefix}b"].system_out is None
    assert "ATTACHMENT" not in junit.gate(run)


def test_a_guest_attaches_nothing() -> None:
    for said in ("[[ATTACHMENT|.env]]", "[[ATT\x1b[0mACHMENT|.env]]", "[[[attachment|x]]]"):
        tests = (TestResult("a", F, 0.0, said, said), TestResult("b", P, 0.0, said, said))
        bad = ran("patched", {}).model_copy(update={"tests": tests, "notes": (said,)})
        run = judged([ran("base", {"a": P, "b": P}), bad])
        for text in (junit.gate(run), junit.raw(run, "patched")):
            assert "[[ATTACHMENT|" not in text.upper()
            assert "[ [ATTACHMENT|" in text.upper()


def test_the_console_is_attached_in_a_gitlab_job_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {"a": F})])
    monkeypatch.delenv("CI_PROJECT_DIR", raising=False)
    write_reports(run, tmp_path / "out")
    assert "[[ATTACHMENT|" not in (tmp_path / "out" / "junit.xml").read_text()
    monkeypatch.setenv("CI_PROJECT_DIR", str(tmp_path))
    write_reports(run, tmp_path / "out")
    assert "[[ATTACHMENT|out/patched-x86_64-x86_64/console.log]]" in (tmp_path / "out" / "junit.xml").read_text()
