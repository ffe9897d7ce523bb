# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdict of one test: pure functions on statuses. `ci.verdict.conclude` feeds them with builds, guests and suites.

The rules, in one place:

- An answer is PASS, FAIL, SKIP or absent. MISS and ERROR are not answers: they count neither for nor against the
series.
- A suspicion (patched is worse than base) holds only if, in all runs, every answer of base is the same good one and
  every answer of patched the same bad one. One run that says otherwise makes the test `flaky`.
- A test that base ran and patched no longer reports, or skips, is `gone`: tests that vanish are how a fault hides.
- A test may say what the kernel did (`TestResult.observed`). If it passes on both variants and yet they did not do the
  same, that is a regression as well, by the same rule: consistent within each variant, different between them.
- A program without TAP may complain and exit with 0 all the same (`TestResult.complaints`). If its result is the same
  on both variants, and all runs of patched hold a line that no run of base holds, the test is `changed`.
- A test may carry figures. If its result is the same on both variants and a figure is not, the test is `changed`,
  which fails nothing: how much a figure may change is what budgets say.
- Where no answer is left for a variant, the verdict is `unknown`, and so is that of the run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci.model.verdicts import Effect, RunVerdict, TestVerdict
from configs.result import Status

Statuses = tuple[Status | None, ...]
"""The statuses of one test on one variant, one for each run; None: that run does not report it."""

_NO_ANSWER = (Status.MISS, Status.ERROR)
_ABSENT = None
_QUOTED = 5


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: TestVerdict | None
    effect: Effect
    reason: str = ""


_TABLE: dict[tuple[Status | None, Status | None], Judgement] = {
    (Status.PASS, Status.PASS): Judgement(TestVerdict.SAME, Effect.NONE),
    (Status.PASS, Status.FAIL): Judgement(TestVerdict.REGRESSION, Effect.FAIL, "passes on base"),
    (Status.PASS, Status.SKIP): Judgement(TestVerdict.GONE, Effect.FAIL, "passes on base and is skipped here"),
    (Status.PASS, _ABSENT): Judgement(TestVerdict.GONE, Effect.FAIL, "passes on base and is not reported here"),
    (Status.FAIL, Status.PASS): Judgement(TestVerdict.FIXED, Effect.NONE, "fails on base"),
    (Status.FAIL, Status.FAIL): Judgement(TestVerdict.PRE_EXISTING, Effect.NONE, "fails on base as well"),
    (Status.FAIL, Status.SKIP): Judgement(TestVerdict.GONE, Effect.NONE, "fails on base and is skipped here"),
    (Status.FAIL, _ABSENT): Judgement(TestVerdict.GONE, Effect.NONE, "fails on base and is not reported here"),
    (Status.SKIP, Status.PASS): Judgement(TestVerdict.NEW, Effect.NONE, "skipped on base"),
    (Status.SKIP, Status.FAIL): Judgement(TestVerdict.NEW, Effect.FAIL, "fails, and is skipped on base"),
    (Status.SKIP, Status.SKIP): Judgement(TestVerdict.SAME, Effect.NONE),
    (Status.SKIP, _ABSENT): Judgement(TestVerdict.GONE, Effect.NONE, "skipped on base and not reported here"),
    (_ABSENT, Status.PASS): Judgement(TestVerdict.NEW, Effect.NONE),
    (_ABSENT, Status.FAIL): Judgement(TestVerdict.NEW, Effect.FAIL, "a new test fails"),
    (_ABSENT, Status.SKIP): Judgement(TestVerdict.NEW, Effect.NONE),
    (_ABSENT, _ABSENT): Judgement(TestVerdict.SAME, Effect.NONE),
}
"""(base, judged) consistent within each variant in all its runs."""

REASONS = frozenset(judgement.reason for judgement in _TABLE.values())
"""What is said of two statuses that say it already."""


def judge(
    base: Statuses, patched: Statuses, *, in_base_suite: bool = True, base_died: bool = False, crash: bool = False
) -> Judgement:
    """The verdict of one test from all runs of both variants, the first runs first.

    `in_base_suite` is False where the suite of the base tree does not hold the test. `base_died`: the base kernel's own
    fault ended every guest that gave no answer. `crash`: the test is a fault of the kernel (`guest/...`), whose single
    appearance is evidence that no re-run takes back.
    """
    before, after = _answers(base), _answers(patched)
    if not after:
        return Judgement(TestVerdict.UNKNOWN, Effect.UNKNOWN, f"no answer from the judged variant ({show(patched)})")
    is_new = not in_base_suite and None not in after
    if not before and not is_new:
        return _without_base(base, patched, base_died)
    if len(after) > 1 or (len(before) > 1 and not is_new):
        return _flaky(base, patched, crash)
    judgement = _TABLE[_ABSENT if is_new else before.pop(), after.pop()]
    if judgement.effect is Effect.FAIL and len(patched) > 1 and _count(patched) < 2:
        return Judgement(TestVerdict.UNKNOWN, Effect.UNKNOWN, f"no re-run gave an answer ({show(patched)})")
    return judgement


def judge_observed(judgement: Judgement, base: Sequence[str], patched: Sequence[str]) -> Judgement:
    """`judgement` of a test that passes on both variants, unless what it observed in the runs that passed says
    otherwise.

    Runs that observed nothing are left out; a variant without any has nothing to be compared with.
    """
    before, after = {text for text in base if text}, {text for text in patched if text}
    if judgement.verdict is not TestVerdict.SAME or not before or not after or before == after:
        return judgement
    if len(before) > 1 or len(after) > 1:
        return Judgement(TestVerdict.FLAKY, Effect.NONE, "passes, but the kernel does not do the same in all runs")
    return Judgement(
        TestVerdict.REGRESSION, Effect.FAIL, "passes on both variants, but the kernel does not do what it does on base"
    )


def judge_complaints(
    judgement: Judgement, base: Sequence[Sequence[str]], patched: Sequence[Sequence[str]]
) -> Judgement:
    """`judgement` of a test whose result is the same on both variants, unless it complains on the judged one of what it
    never complains of on base. `base` and `patched` are the complaints of the runs that gave an answer."""
    if judgement.verdict not in (TestVerdict.SAME, TestVerdict.PRE_EXISTING) or not base or not patched:
        return judgement
    known = {line for run in base for line in run}
    new = [line for line in dict.fromkeys(line for run in patched for line in run) if line not in known]
    always = [line for line in new if all(line in run for run in patched)]
    if always:
        return Judgement(TestVerdict.CHANGED, Effect.FAIL, f"prints what base never prints: {_quoted(always)}")
    if new:
        return Judgement(TestVerdict.FLAKY, Effect.NONE, f"prints in some runs what base never prints: {_quoted(new)}")
    return judgement


def judge_figures(judgement: Judgement, change: str) -> Judgement:
    """`judgement` of a test whose figures changed, which `change` tells in a line; empty if they are the same."""
    if judgement.verdict is not TestVerdict.SAME or not change:
        return judgement
    return Judgement(TestVerdict.CHANGED, Effect.NONE, change)


def _quoted(lines: Sequence[str]) -> str:
    """As many lines as a reader wants to see at once; the output holds them all."""
    more = f" and {len(lines) - _QUOTED} more" if len(lines) > _QUOTED else ""
    return " | ".join(line[:120] for line in lines[:_QUOTED]) + more


def judge_alone(statuses: Statuses) -> Judgement:
    """One variant and nothing to compare it with: a status counts for itself."""
    answers = _answers(statuses)
    if not answers:
        return Judgement(None, Effect.UNKNOWN, f"no answer ({show(statuses)})")
    if len(answers) > 1:
        return Judgement(TestVerdict.FLAKY, Effect.UNKNOWN, f"not the same in all runs ({show(statuses)})")
    return Judgement(None, Effect.FAIL if answers == {Status.FAIL} else Effect.NONE)


def judge_gone(statuses: Statuses) -> Judgement:
    """A test of the base tree's suite, on the base kernel, that the patched tree's suite no longer holds."""
    answers = _answers(statuses)
    if not answers:
        return Judgement(TestVerdict.GONE, Effect.NONE, "no longer in the suite; gave no answer on base either")
    if Status.PASS not in answers:
        return Judgement(TestVerdict.GONE, Effect.NONE, "no longer in the suite; did not pass on base either")
    return Judgement(TestVerdict.GONE, Effect.FAIL, "passes on base and is no longer in the suite")


def run_verdict(effects: Iterable[Effect]) -> RunVerdict:
    """fail if anything fails; else unknown if an answer is missing, or if there is nothing to judge; else pass."""
    found = set(effects)
    if Effect.FAIL in found:
        return RunVerdict.FAIL
    if Effect.UNKNOWN in found or not found:
        return RunVerdict.UNKNOWN
    return RunVerdict.PASS


def show(statuses: Sequence[Status | None]) -> str:
    """`PASS` of one run, `4 PASS` or `1 FAIL, 3 PASS` of several, in order of first appearance."""
    counts: dict[str, int] = {}
    for status in statuses:
        word = status.value if status else "absent"
        counts[word] = counts.get(word, 0) + 1
    if len(statuses) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "never run"


def _answers(statuses: Statuses) -> set[Status | None]:
    return {status for status in statuses if status not in _NO_ANSWER}


def _count(statuses: Statuses) -> int:
    return sum(status not in _NO_ANSWER for status in statuses)


def _flaky(base: Statuses, patched: Statuses, crash: bool) -> Judgement:
    reason = f"base {show(base)}; judged {show(patched)}"
    if crash and Status.FAIL in patched and Status.FAIL not in base:
        return Judgement(TestVerdict.FLAKY, Effect.UNKNOWN, f"{reason}; never seen on base")
    return Judgement(TestVerdict.FLAKY, Effect.NONE, reason)


def _without_base(base: Statuses, patched: Statuses, base_died: bool) -> Judgement:
    """Base gave no answer at all. If its own kernel crashed, that counts as an answer."""
    if base_died and _answers(patched) == {Status.PASS}:
        return Judgement(TestVerdict.FIXED, Effect.NONE, "base's kernel fell over before it could answer")
    return Judgement(TestVerdict.UNKNOWN, Effect.UNKNOWN, f"no answer from base ({show(base)})")
