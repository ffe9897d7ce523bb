# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns builds and cells into comparisons, and comparisons into the verdict of the run.

The executor fills a `Run` with variants, builds and cells, and calls `conclude`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from ci.model.results import Run
from ci.model.verdicts import Comparison, Effect, RunVerdict, TestVerdict
from ci.verdict import verdict
from ci.verdict.compare.builds import compare_builds, compare_series
from ci.verdict.compare.cells import compare_cells
from ci.verdict.compare.each import breaks_line, with_each
from ci.verdict.figures.budget import UNMATCHED, compare_budgets
from ci.verdict.known import Issue, Surroundings, apply_known
from ci.verdict.test_filter import NOBODY, select
from configs.model import BudgetChoice


def conclude(
    run: Run,
    issues: Sequence[Issue] = (),
    today: date | None = None,
    test: str = "",
    budgets: Sequence[BudgetChoice] = (),
) -> Run:
    """The run with comparisons, known issues, verdict, summary and exit status filled in.

    `budgets` are the profile's. `test` keeps only the tests that this glob names. `today` (default: the real one)
    decides what has expired.
    """
    comparisons = with_each(run, [*compare_series(run), *compare_builds(run), *compare_cells(run)])
    comparisons += compare_budgets(run, budgets)
    if test:
        comparisons = select(comparisons, test, run.judged.name)
    place = Surroundings(run.source.version)
    judged, outcomes = apply_known(comparisons, issues, today or date.today(), place)
    effects = [item.effect for item in judged] + [item.effect for item in outcomes]
    result = _of_shard(judged) if run.shard else verdict.run_verdict(effects)
    concluded = run.model_copy(
        update={
            "comparisons": judged,
            "known_issues": outcomes,
            "verdict": result,
            "exit_code": result.exit_code,
        }
    )
    return concluded.model_copy(update={"summary": summarise(concluded)})


def _of_shard(judged: Sequence[Comparison]) -> RunVerdict:
    """The verdict of a part of a plan, by what it can know: a test that it lacks may be in another part, and so may be
    the test that a known issue or a budget speaks of. A part with nothing to judge is no fault."""
    elsewhere = (NOBODY, UNMATCHED)
    known = [item.effect for item in judged if not any(words in item.message for words in elsewhere)]
    return verdict.run_verdict(known or [Effect.NONE])


def summarise(run: Run) -> str:
    """One line: regressions first, then the rest."""
    bad = _count(run.comparisons, Effect.FAIL)
    missing = _count(run.comparisons, Effect.UNKNOWN)
    fine = _count(run.comparisons, Effect.NONE)
    known = Counter(item.state.value for item in run.known_issues if item.effect is Effect.FAIL)
    parts = [line] if (line := breaks_line(run.comparisons)) else []
    parts += [_words(bad)] if bad else []
    parts += [f"known issues: {_words(known)}"] if known else []
    parts += [f"without answer: {_words(missing)}"] if missing else []
    parts += [_words(fine)] if fine else []
    return "; ".join(parts) or "nothing was judged"


def _count(comparisons: Iterable[Comparison], effect: Effect) -> Counter[str]:
    return Counter(_word(item) for item in comparisons if item.effect is effect)


def _word(item: Comparison) -> str:
    if item.verdict:
        return item.verdict.value
    return "/".join(dict.fromkeys(status.value if status else "absent" for status in item.patched))


def _words(counts: Counter[str]) -> str:
    def plural(word: str, count: int) -> str:
        return f"{word}s" if word == TestVerdict.REGRESSION and count > 1 else word

    return ", ".join(f"{count} {plural(word, count)}" for word, count in counts.most_common())
