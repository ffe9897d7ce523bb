# SPDX-License-Identifier: GPL-2.0-or-later
"""Known issues: the file, what they excuse, and when they fail the run themselves."""

from datetime import date
from pathlib import Path

import pytest

from ci.model.results import Run
from ci.model.stages import FAULT
from ci.model.verdicts import KnownEntry, KnownState, RunVerdict, TestVerdict
from ci.verdict.conclude import conclude
from ci.verdict.known import Issue, load_known
from configs.result import Status
from tests.ci.samples import PANIC, SPLAT, TODAY, not_run, ran, run_of
from util.errors import UserError

P, F, S, M, E = Status.PASS, Status.FAIL, Status.SKIP, Status.MISS, Status.ERROR

GOOD = """\
issues:
  - test: seccomp_bpf.global.mode_strict_support
    abi: x32
    source: 5.10.*
    reason: strict mode kills the x32 exit call
    link: https://example.org/1
    expires: 2026-12-31
  - test: guest/fault/WARNING in foo
    status: FAIL
    flaky: true
    reason: a race in the timer code
    link: https://example.org/2
    expires: 2027-01-01
"""


def issue(test: str = "a", **fields: object) -> Issue:
    given = {"reason": "because", "link": "https://example.org/1", "expires": date(2026, 12, 31), "test": test}
    return Issue(KnownEntry.model_validate(given | fields), "known.yaml:2")


def run(base: Status, patched: Status, *issues: Issue, abi: str = "x86_64") -> Run:
    cells = [ran("base", {"a": base}, abi=abi), ran("patched", {"a": patched}, abi=abi)]
    return conclude(run_of(cells), issues, TODAY)


def states(concluded: Run) -> list[KnownState]:
    return [item.state for item in concluded.known_issues]


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(GOOD)
    first, second = load_known(path)
    assert (first.where, second.where) == (f"{path}:2", f"{path}:8")
    assert (first.entry.abi, first.entry.arch, first.entry.status) == ("x32", "*", F)
    assert second.entry.flaky


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    reason: a race in the timer code\n", "", ":8: issues.1.reason: Field required"),
        ("    link: https://example.org/2\n", "", ":8: issues.1.link: Field required"),
        ("    expires: 2027-01-01\n", "", ":8: issues.1.expires: Field required"),
        ("status: FAIL", "status: PASS", ":9: issues.1.status: PASS is no issue"),
        ("abi: x32", "abbi: x32", ":3: issues.0.abbi: no such key"),
        ("2027-01-01", "soon", ":13: issues.1.expires"),
        ("https://example.org/2", "see the list", ":12: issues.1.link"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "known.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UserError) as error:
        load_known(path)
    assert str(error.value).startswith(f"{path}{says}")
    assert "\n" not in str(error.value)


def test_a_known_regression_does_not_fail_the_run() -> None:
    assert run(P, F).verdict is RunVerdict.FAIL
    known = run(P, F, issue())
    assert (known.verdict, states(known)) == (RunVerdict.PASS, [KnownState.MATCHED])
    (item,) = [item for item in known.comparisons if item.test == "a"]
    assert item.verdict is TestVerdict.REGRESSION
    assert item.known is not None and item.known.reason == "because"


@pytest.mark.parametrize(
    "fields", [{"abi": "x32"}, {"arch": "aarch64"}, {"flavour": "kasan"}, {"source": "6.*"}, {"suite": "other/*"}]
)
def test_an_entry_for_another_place_excuses_nothing(fields: dict[str, str]) -> None:
    other = run(P, F, issue(**fields))
    assert (other.verdict, states(other)) == (RunVerdict.FAIL, [KnownState.UNUSED])


def test_globs() -> None:
    matching = issue("[ab]", source="5.10.*", abi="x*", suite="selftests/*")
    assert run(P, F, matching).verdict is RunVerdict.PASS


def test_an_entry_that_has_expired_fails_the_run() -> None:
    expired = run(F, F, issue(expires=date(2026, 5, 31)))
    assert (expired.verdict, states(expired)) == (RunVerdict.FAIL, [KnownState.EXPIRED])
    assert "known.yaml:2: expired on 2026-05-31" in expired.known_issues[0].message
    assert "1 expired" in expired.summary
    assert run(F, F, issue(expires=TODAY)).verdict is RunVerdict.PASS


def test_an_entry_that_passes_fails_the_run() -> None:
    stale = run(P, P, issue())
    assert (stale.verdict, states(stale)) == (RunVerdict.FAIL, [KnownState.PASSES])
    assert run(P, P, issue(flaky=True)).verdict is RunVerdict.PASS
    assert run(F, P, issue()).verdict is RunVerdict.FAIL  # the series mends it: then the entry has to go


def test_an_entry_is_not_stale_where_nothing_was_seen() -> None:
    cells = [ran("base", {"b": P}), ran("patched", {"b": P})]
    assert conclude(run_of(cells), [issue()], TODAY).verdict is RunVerdict.PASS
    lost = conclude(run_of([not_run("base", "x"), not_run("patched", "x")]), [issue("*", suite="selftests/*")], TODAY)
    assert states(lost) == [KnownState.UNUSED]


def test_status_must_be_the_one_written() -> None:
    assert run(P, E, issue()).verdict is RunVerdict.UNKNOWN
    assert run(P, E, issue(status=E)).verdict is RunVerdict.PASS
    assert run(P, S, issue()).verdict is RunVerdict.FAIL


@pytest.mark.parametrize(
    ("glob", "fields", "verdict"),
    [
        ("WARNING in seccomp_*", {}, RunVerdict.PASS),
        ("WARNING in seccomp_*", {"arch": "x86_64"}, RunVerdict.PASS),
        ("WARNING in seccomp_*", {"arch": "aarch64"}, RunVerdict.FAIL),
        ("WARNING in seccomp", {}, RunVerdict.FAIL),
        ("BUG in seccomp_*", {}, RunVerdict.FAIL),
    ],
)
def test_a_splat_is_let_pass_by_a_glob_of_its_title(glob: str, fields: dict[str, str], verdict: RunVerdict) -> None:
    cells = [ran("base", {"a": P}), ran("patched", {"a": P}, faults=[SPLAT])]
    assert conclude(run_of(cells), [issue(FAULT + glob, **fields)], TODAY).verdict is verdict


def test_a_known_splat_does_not_excuse_the_guest_that_it_ended() -> None:
    died = ran("patched", {"a": P}, end="panic", faults=[PANIC])
    assert conclude(run_of([ran("base", {"a": P}), died]), [issue(f"{FAULT}*")], TODAY).verdict is RunVerdict.FAIL


def test_faults_are_known_by_their_title_and_missed_when_they_stay_away() -> None:
    entry = issue(FAULT + SPLAT.title)
    with_fault = [ran("base", {"a": P}), ran("patched", {"a": P}, faults=[SPLAT])]
    assert conclude(run_of(with_fault), [], TODAY).verdict is RunVerdict.FAIL
    assert conclude(run_of(with_fault), [entry], TODAY).verdict is RunVerdict.PASS
    stale = conclude(run_of([ran("base", {"a": P}), ran("patched", {"a": P})]), [entry], TODAY)
    assert (stale.verdict, states(stale)) == (RunVerdict.FAIL, [KnownState.PASSES])
