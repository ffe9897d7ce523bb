# SPDX-License-Identifier: GPL-2.0-or-later
"""From a filled run to its verdict: series, builds, guests, suites, selection and summary."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.variants import ApplyFailure, Variant
from ci.model.verdicts import Comparison, Effect, RunVerdict, TestVerdict
from ci.verdict.compare.cells import compare_cell, doubtful_tests
from ci.verdict.conclude import conclude
from configs.result import Status
from guests.crash.outcome import KERNEL_ENDS, End, Fault
from kernels.build.diagnostics import BuildWarning
from tests.ci.samples import PANIC, SPLAT, TODAY, built, judged, not_run, ran, run_of

P, F, S, M, E = Status.PASS, Status.FAIL, Status.SKIP, Status.MISS, Status.ERROR
V = TestVerdict
WARNING = BuildWarning(file="kernel/seccomp.c", line=10, text="unused variable 'x'", option="-Wunused-variable")

suites = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(list(Status)), min_size=1)
ends = st.sampled_from(["finished", "panic", "qemu-died", "deadline"])
splats = st.lists(st.sampled_from([PANIC, SPLAT]), max_size=2)


def verdicts(run: Run) -> dict[str, TestVerdict | None]:
    return {item.test: item.verdict for item in run.comparisons}


def find(run: Run, test: str) -> Comparison:
    (item,) = [item for item in run.comparisons if item.test == test]
    return item


def test_all_the_same_passes() -> None:
    run = judged([ran("base", {"a": P, "b": S}), ran("patched", {"a": P, "b": S})], [built("base"), built("patched")])
    assert (run.verdict, run.exit_code) == (RunVerdict.PASS, 0)
    assert set(verdicts(run).values()) == {V.SAME}
    assert run.summary == "5 same"


def test_regression_fails_and_says_what_the_test_said() -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {"a": F})])
    assert (run.verdict, run.exit_code) == (RunVerdict.FAIL, 1)
    assert find(run, "a").message == "a said FAIL"
    assert run.summary.startswith("1 regression; ")


@pytest.mark.slow
@given(suites, ends, splats)
@settings(deadline=None)
def test_equal_sides_never_fail(tests: dict[str, Status], end: str, faults: list[Fault]) -> None:
    sides = [ran(name, tests, end=end, faults=faults) for name in ("base", "patched")]
    assert judged(sides).verdict is not RunVerdict.FAIL


@given(st.tuples(suites, ends, splats), st.tuples(suites, ends, splats))
@settings(deadline=None)
def test_exit_0_means_that_everything_was_answered(
    before: tuple[dict[str, Status], str, list[Fault]], after: tuple[dict[str, Status], str, list[Fault]]
) -> None:
    (base, base_end, base_faults), (patched, end, faults) = before, after
    run = judged([ran("base", base, end=base_end, faults=base_faults), ran("patched", patched, end=end, faults=faults)])
    if run.exit_code == 0:
        assert not {M, E} & set(patched.values())
        assert not any(base.get(name) is P and status is not P for name, status in patched.items())
        assert not any(status is P and name not in patched for name, status in base.items())
        assert {fault.title for fault in faults} <= {fault.title for fault in base_faults}
        assert end == "finished"


def test_panic_is_the_kernels_and_the_tests_behind_it_have_no_answer() -> None:
    run = judged([ran("base", {"a": P, "b": P}), ran("patched", {"a": P}, end="panic", faults=[PANIC])])
    assert verdicts(run) == {
        "apply": V.SAME,
        "a": V.SAME,
        "b": V.UNKNOWN,
        "guest/end": V.REGRESSION,
        f"guest/fault/{PANIC.title}": V.REGRESSION,
    }
    assert run.exit_code == 1


@pytest.mark.parametrize("end", sorted(KERNEL_ENDS))
def test_ends_of_the_kernel_fail(end: str) -> None:
    assert judged([ran("base", {"a": P}), ran("patched", {}, end=end)]).exit_code == 1


@pytest.mark.parametrize("end", sorted(set(End) - KERNEL_ENDS - {End.FINISHED}))
def test_ends_of_the_machine_are_unknown(end: str) -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {"a": P}, end=end)])
    assert (run.exit_code, find(run, "guest/end").verdict) == (3, V.UNKNOWN)


def test_a_splat_that_base_has_too_hides_no_other() -> None:
    other = replace(SPLAT, title="KASAN: use-after-free in seccomp_put")
    run = judged([ran("base", {"a": P}, faults=[SPLAT]), ran("patched", {"a": P}, faults=[SPLAT, other, other])])
    assert find(run, f"guest/fault/{SPLAT.title}").verdict is V.PRE_EXISTING
    assert find(run, f"guest/fault/{other.title}").verdict is V.REGRESSION
    fixed = judged([ran("base", {"a": P}, faults=[SPLAT]), ran("patched", {"a": P})])
    assert find(fixed, f"guest/fault/{SPLAT.title}").verdict is V.FIXED
    assert fixed.exit_code == 0


def test_a_series_that_mends_a_panic_passes() -> None:
    run = judged([ran("base", {}, end="panic", faults=[PANIC]), ran("patched", {"a": P})])
    assert (verdicts(run)["a"], verdicts(run)["guest/end"], run.exit_code) == (V.FIXED, V.FIXED, 0)


def test_a_guest_that_falls_over_on_both_sides_is_no_success() -> None:
    sides = [ran("base", {"a": P}, end="panic", faults=[PANIC]), ran("patched", {"a": P}, end="deadline")]
    run = judged(sides)
    assert (find(run, "guest/end").verdict, run.exit_code) == (V.PRE_EXISTING, 3)
    assert find(run, "guest/end").message == "guest: deadline; no run finished (base: panic; patched: deadline)"


def reruns(variant: str, results: list[Status]) -> list[CellResult]:
    return [ran(variant, {"a": status}, attempt=number) for number, status in enumerate(results)]


def test_reruns_settle_a_suspicion() -> None:
    held = judged([*reruns("base", [P] * 4), *reruns("patched", [F] * 4)])
    assert (find(held, "a").verdict, held.exit_code) == (V.REGRESSION, 1)
    loose = judged([*reruns("base", [P] * 4), *reruns("patched", [F, F, P, F])])
    assert (find(loose, "a").verdict, loose.exit_code) == (V.FLAKY, 0)
    assert find(loose, "a").patched == (F, F, P, F)


def test_a_crash_in_one_of_four_runs_is_no_clean_bill() -> None:
    guests = [ran("patched", {"a": P}, attempt=number) for number in (0, 2, 3)]
    guests.append(ran("patched", {"a": P}, attempt=1, end="panic", faults=[PANIC]))
    run = judged([*reruns("base", [P] * 4), *guests])
    assert (find(run, "guest/end").verdict, run.exit_code) == (V.FLAKY, 3)


def test_doubtful_tests() -> None:
    base, good, bad = ran("base", {"a": P}), ran("patched", {"a": P}), ran("patched", {"a": F})
    lost = not_run("patched", "does not build")
    assert not doubtful_tests(base, good, compare_cell([base], [good]))
    assert doubtful_tests(base, bad, compare_cell([base], [bad]))
    assert not doubtful_tests(base, lost, compare_cell([base], [lost]))


def test_a_rerun_that_could_not_start_hides_no_answer() -> None:
    lost = not_run("patched", "no disk space").model_copy(update={"attempt": 1})
    run = judged([*reruns("base", [P, P, P]), *reruns("patched", [F]), lost, ran("patched", {"a": F}, attempt=2)])
    assert find(run, "a").verdict is V.REGRESSION


def observing(variant: str, digest: str, *, status: Status = P, attempt: int = 0) -> CellResult:
    result = ran(variant, {"a": status}, attempt=attempt)
    return result.model_copy(update={"tests": tuple(replace(test, observed=digest) for test in result.tests)})


def test_two_passes_that_did_not_do_the_same() -> None:
    cells = [observing("base", "one"), observing("patched", "two")]
    run = judged(cells)
    assert (run.verdict, run.exit_code) == (RunVerdict.FAIL, 1)
    assert find(run, "a").verdict is V.REGRESSION
    assert "does not do what it does on base" in find(run, "a").message
    first, second = cells
    assert doubtful_tests(first, second, run.comparisons)


def test_what_was_observed_counts_only_where_it_passed() -> None:
    run = judged([observing("base", "one", status=F), observing("patched", "two", status=F)])
    assert find(run, "a").verdict is V.PRE_EXISTING


def test_reruns_settle_what_was_observed() -> None:
    base = [observing("base", "one"), observing("base", "two", attempt=1)]
    run = judged([*base, observing("patched", "two"), observing("patched", "two", attempt=1)])
    assert find(run, "a").verdict is V.FLAKY


def test_new_and_gone_by_the_suite_of_the_base_tree() -> None:
    own = ran("base", {"old": P, "kept": P, "sick": F}, suite_variant="base")
    base = ran("base", {"kept": P, "added": F, "broken": F})
    run = judged([own, base, ran("patched", {"kept": P, "added": P, "broken": F})])
    assert verdicts(run) == {
        "apply": V.SAME,
        "kept": V.SAME,
        "added": V.NEW,
        "broken": V.NEW,
        "old": V.GONE,
        "sick": V.GONE,
        "guest/end": V.SAME,
    }
    effects = {item.test: item.effect for item in run.comparisons}
    assert [name for name, effect in effects.items() if effect is Effect.FAIL] == ["broken", "old"]


def test_a_suite_of_base_that_cannot_be_listed_is_unknown() -> None:
    own = ran("base", {"old": P}, suite_variant="base", end="qemu-died")
    run = judged([own, ran("base", {"a": P}), ran("patched", {"a": P})])
    assert (find(run, "suite/base").effect, run.exit_code) == (Effect.UNKNOWN, 3)


def test_new_suite_brings_base_down_old_suite_does_not() -> None:
    """The test that both suites hold is still compared with what base says of it."""
    own, dead = ran("base", {"a": P}, suite_variant="base"), ran("base", {}, end="panic", faults=[PANIC])
    run = judged([own, dead, ran("patched", {"a": F, "added": P})])
    assert (find(run, "a").verdict, find(run, "added").verdict, run.exit_code) == (V.REGRESSION, V.NEW, 1)


def test_what_base_said_with_the_new_suite_comes_first() -> None:
    own = ran("base", {"a": F}, suite_variant="base")
    base = [ran("base", {}, end="panic"), ran("base", {"a": P}, attempt=1)]
    run = judged([own, *base, *reruns("patched", [F, F])])
    assert find(run, "a").verdict is V.REGRESSION


def test_a_fault_that_shows_twice_is_one_test() -> None:
    assert [test.name for test in ran("base", {}, faults=[SPLAT, SPLAT]).tests] == [
        "guest/end",
        f"guest/fault/{SPLAT.title}",
    ]


def test_a_suite_that_no_longer_compiles_loses_its_tests() -> None:
    own = ran("base", {"old": P}, suite_variant="base")
    sides = [
        ran(name, {"suite/prepare": E}).model_copy(
            update={"end": "", "tests": ran(name, {"suite/prepare": E}).tests[:1]}
        )
        for name in ("base", "patched")
    ]
    run = judged([own, *sides])
    assert (find(run, "old").verdict, find(run, "suite/prepare").verdict, run.exit_code) == (V.GONE, V.UNKNOWN, 1)
    assert not doubtful_tests(sides[0], sides[1], run.comparisons)


def test_a_suite_that_can_no_longer_be_made_loses_its_tests() -> None:
    own = ran("base", {"old": P, "sick": F}, suite_variant="base")
    lost = [not_run(name, "the suite cannot be made") for name in ("base", "patched")]
    run = judged([own, *lost])
    assert (find(run, "old").verdict, find(run, "cell").verdict, run.exit_code) == (V.GONE, V.UNKNOWN, 1)
    assert judged(lost).exit_code == 3
    assert (
        judged([own, ran("base", {"old": P}), lost[1]]).exit_code == 3
    )  # that is the kernel's build, judged elsewhere


def test_cells_that_did_not_run() -> None:
    run = judged([ran("base", {"a": P}), not_run("patched", "patched x86_64 does not build")])
    assert (find(run, "cell").message, run.exit_code) == ("patched x86_64 does not build", 3)
    assert judged([ran("base", {"a": P})]).exit_code == 3
    assert judged([ran("patched", {"a": P})]).exit_code == 3
    assert judged([]).exit_code == 0  # the series applies: that alone was asked


def test_only_equal_cells_are_compared() -> None:
    other = ran("patched", {"a": F}).model_copy(update={"accel": "kvm"})
    run = judged([ran("base", {"a": P}), other])
    assert find(run, "cell").message == "not comparable: accelerator tcg on base, kvm on patched"
    assert run.exit_code == 3


def test_an_empty_suite_is_no_success() -> None:
    run = judged([ran("base", {}), ran("patched", {})])
    assert (find(run, "suite/tests").effect, run.exit_code) == (Effect.UNKNOWN, 3)


def test_builds() -> None:
    assert judged([], [built("base"), built("patched")]).exit_code == 0
    broken = judged([], [built("base"), built("patched", ok=False)])
    assert (find(broken, "kernel").verdict, broken.exit_code) == (V.REGRESSION, 1)
    assert find(broken, "kernel").message.startswith("kernel/seccomp.c:42")
    for patched_ok in (True, False):
        unknown = judged([], [built("base", ok=False), built("patched", ok=patched_ok)])
        assert (find(unknown, "kernel").verdict, unknown.exit_code) == (V.UNKNOWN, 3)
    assert judged([], [built("base")]).exit_code == 3
    assert judged([], [built("patched")]).exit_code == 3


def test_warnings_are_told_apart_by_text_not_by_line() -> None:
    moved = replace(WARNING, line=99)
    same = judged([], [built("base", warnings=[WARNING]), built("patched", warnings=[moved])])
    assert same.exit_code == 0
    second = judged([], [built("base", warnings=[WARNING]), built("patched", warnings=[WARNING, moved])])
    assert second.exit_code == 1
    name = "warning: kernel/seccomp.c: unused variable 'x' [-Wunused-variable]"
    assert find(second, name).message == "kernel/seccomp.c:99: unused variable 'x' [-Wunused-variable]"
    gone = judged([], [built("base", warnings=[WARNING]), built("patched")])
    assert (find(gone, name).verdict, gone.exit_code) == (V.FIXED, 0)


def test_series_that_does_not_apply() -> None:
    failure = ApplyFailure(
        patch=2, subject="seccomp: two", file="kernel/seccomp.c", hunk="@@ -1,3 +1,4 @@", message="x"
    )
    sides = [Variant(name="base", patches=0), Variant(name="patched", failure=failure)]
    cells = [ran("base", {"a": P}), not_run("patched", "the series does not apply")]
    run = conclude(run_of(cells, variants=sides), today=TODAY)
    assert (find(run, "apply").verdict, run.exit_code) == (V.REGRESSION, 1)
    assert "patch 2" in find(run, "apply").message and "kernel/seccomp.c, @@ -1,3 +1,4 @@" in find(run, "apply").message
    # a base that cannot be made says nothing about the series
    base = [Variant(name="base", failure=failure), Variant(name="patched", patches=0)]
    assert conclude(run_of([], variants=base), today=TODAY).exit_code == 3


def alone(tests: dict[str, Status], end: str = "finished", test: str = "") -> Run:
    run = run_of([ran("base", tests, end=end)], [built("base")], variants=[Variant(name="base", patches=0)])
    return conclude(run, today=TODAY, test=test)


@pytest.mark.parametrize(("status", "code"), [(P, 0), (S, 0), (F, 1), (M, 3), (E, 3)])
def test_without_a_series_a_status_counts_for_itself(status: Status, code: int) -> None:
    run = alone({"a": status})
    assert run.exit_code == code
    assert find(run, "a").verdict is None


def test_selection_by_name() -> None:
    tests = {"seccomp_bpf.a": P, "seccomp_bpf.b": F}
    assert alone(tests).exit_code == 1
    assert alone(tests, test="*.a").exit_code == 0
    assert alone(tests, test="selftests/seccomp/seccomp_bpf.b").exit_code == 1
    nothing = alone(tests, test="*.c")
    assert nothing.exit_code == 3
    assert find(nothing, "*.c").message == "no test of this name was reported"


def test_intermediate_variants_are_not_judged() -> None:
    sides = [Variant(name="base", patches=0), Variant(name="patch-1", patches=1), Variant(name="patched")]
    cells = [ran("base", {"a": P}), ran("patch-1", {"a": F}), ran("patched", {"a": P})]
    assert conclude(run_of(cells, variants=sides), today=TODAY).exit_code == 0
