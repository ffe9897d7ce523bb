# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line's wishes, and the plan that comes of them: they are laid over a profile, and what cannot be is
refused."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ci.plan.plan import ArchTarget, Plan
from configs.loader import load_arch
from configs.model import Arch, Profile, SuiteChoice, VariantChoice
from configs.names import CHECKPATCH, CHECKS, LAYOUT, SIZE, STATIC, did_you_mean, flavours
from kernels.mail.thread import EVERYTHING, ThreadChoice
from testcases.benchmark import topics
from testcases.registry import find_suite
from util.errors import UserError


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of the command line that override the profile; None or empty keeps the profile's value."""

    source: str | None = None
    series: str | None = None
    archs: tuple[str, ...] = ()
    abis: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()
    rerun: int | None = None
    choice: ThreadChoice = EVERYTHING
    keep_base: bool = False
    guess_base: bool = False


def make_plan(
    profile: Profile,
    wishes: Wishes,
    *,
    accel: str,
    jobs: int,
    fresh: bool,
    test: str = "",
    spec: str = "",
    follow: bool = True,
    fail_fast: bool = False,
    explain: tuple[str, ...] = (),
    each: str = "",
    coverage: bool = False,
) -> Plan:
    """Lays the wishes over the profile. Raises UserError for a name that is not known."""
    if wishes.keep_base and wishes.guess_base:
        raise UserError("--keep-base and --guess-base contradict each other; give one of them")
    overlay: dict[str, object] = {}
    for key in ("source", "series", "rerun"):
        value = getattr(wishes, key)
        if value is not None:
            overlay[key] = value
    for key in ("archs", "flavours"):
        if getattr(wishes, key):
            overlay[key] = getattr(wishes, key)
    _check_names(profile, wishes)
    _check_budgets(profile)
    static, shaping = _static(profile, wishes, each), profile.suites
    if wishes.suites:
        chosen = tuple(_suite(profile, name) for name in wishes.suites if name not in STATIC)
        overlay["suites"], shaping = chosen, chosen or shaping
    if each:
        suites = _with_each(profile, wishes, overlay.get("suites", profile.suites), each)
        overlay["suites"], shaping = suites, (*shaping, *(suite for suite in suites if suite not in shaping))
    targets = _targets(profile, wishes)
    profile = profile.model_copy(update=overlay)
    _check_flavours(profile.flavours)
    if coverage:
        _check_coverage(profile)
    for suite in profile.suites:
        find_suite(suite.name)
    return Plan(
        profile=profile,
        targets=targets,
        variants=_variants(profile),
        accel=accel,
        jobs=jobs,
        fresh=fresh,
        test=test,
        spec=spec or profile.name,
        static=static,
        shaping=shaping,
        follow=follow,
        fail_fast=fail_fast,
        explain=explain,
        choice=wishes.choice,
        keep_base=wishes.keep_base,
        guess_base=wishes.guess_base,
        each=each,
        profile_digest=hashlib.sha256(profile.model_dump_json().encode()).hexdigest(),
        coverage=coverage,
    )


def _check_coverage(profile: Profile) -> None:
    """Raises UserError where there is nothing of which lines could be executed."""
    if profile.series == "none":
        raise UserError(
            "--coverage looks at the lines that a series adds, and there is no series: name one by --series"
        )
    if not profile.suites:
        raise UserError("--coverage needs suites that run in a guest: name some by --suite, for example boot")


def _with_each(profile: Profile, wishes: Wishes, suites: object, each: str) -> tuple[SuiteChoice, ...]:
    """The suites of the run, that of `--each` among them. Raises UserError where there is no patch to look at alone."""
    assert isinstance(suites, tuple)
    if profile.variants:
        raise UserError(f"profile {profile.name}: names variants of its own, and --each makes one for each patch")
    if (wishes.series or profile.series) == "none":
        raise UserError("--each looks at every patch of a series, and there is no series: name one by --series")
    if each in STATIC:
        raise UserError(f"--each-suite {each}: is read without a guest; name a suite that boots, for example boot")
    find_suite(each)
    return suites if each in [suite.name for suite in suites] else (*suites, _suite(profile, each))


def _static(profile: Profile, wishes: Wishes, each: str) -> tuple[str, ...]:
    """`--suite` may name these as well, and leaves out those that it does not name."""
    wanted = {
        LAYOUT: bool(profile.layout.structs) or profile.layout.touched,
        SIZE: profile.size,
        CHECKPATCH: profile.checkpatch,
        CHECKS: bool(each),
    }
    named = dict.fromkeys(wishes.suites, True) | {CHECKS: wanted[CHECKS] or CHECKS in wishes.suites}
    return tuple(name for name in STATIC if (named.get(name, False) if wishes.suites else wanted[name]))


def _check_budgets(profile: Profile) -> None:
    """Raises UserError for a budget of a suite that the profile does not run. Budgets of benchmarks are checked by
    `rig.py bench`."""
    benchmarks = (f"benchmark/{topic}" for topic in topics())
    known = [*STATIC, *(suite.name for suite in profile.suites), *benchmarks]
    for budget in profile.budgets:
        if budget.suite not in known:
            raise UserError(
                f"profile {profile.name}: a budget of suite `{budget.suite}`, which the profile does not run"
                f"{did_you_mean(budget.suite, known)}"
            )


def _check_names(profile: Profile, wishes: Wishes) -> None:
    """They go to terminals and into the names of files."""
    variants = (variant.name for variant in profile.variants)
    for name in (profile.name, *variants, *(suite.name for suite in profile.suites), *wishes.suites):
        if not name.strip() or not name.isprintable():
            raise UserError(f"{name!r}: a name is one line of printable text")


def _suite(profile: Profile, name: str) -> SuiteChoice:
    """The profile's own entry of that name, options and all, or a bare one."""
    return next((suite for suite in profile.suites if suite.name == name), SuiteChoice(name=name))


def _targets(profile: Profile, wishes: Wishes) -> tuple[ArchTarget, ...]:
    """Those of the profile, as far as the command line leaves them."""
    archs = [load_arch(name) for name in _each_once(wishes.archs or profile.archs, "architecture")]
    own = _abis_of(profile.abis, [load_arch(name) for name in profile.archs] if profile.abis else [])
    wanted = _abis_of(wishes.abis, archs) or own
    targets = [ArchTarget(arch, tuple(abi for abi in arch.abis if not wanted or abi in wanted)) for arch in archs]
    if not any(target.abis for target in targets):
        raise UserError(
            f"profile {profile.name}: runs no ABI of {', '.join(arch.name for arch in archs)}"
            f" (its ABIs: {', '.join(own)}): name some by --abi"
        )
    return tuple(target for target in targets if target.abis)


def _abis_of(wanted: tuple[str, ...], archs: list[Arch]) -> tuple[str, ...]:
    """`wanted`, each of them an ABI of one of the architectures. Raises UserError."""
    known = [abi for arch in archs for abi in arch.abis]
    for abi in _each_once(wanted, "ABI"):
        if abi not in known:
            raise UserError(
                f"no ABI `{abi}` on {', '.join(arch.name for arch in archs)}{did_you_mean(abi, known)}"
                f" (known: {', '.join(known)})"
            )
    return wanted


def _each_once(words: Iterable[str], kind: str) -> tuple[str, ...]:
    words = tuple(words)
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise UserError(f"{kind} `{twice[0]}` is named twice")
    return words


def _check_flavours(wanted: Iterable[str]) -> None:
    known = flavours()
    for flavour in _each_once(wanted, "flavour"):
        if flavour not in known:
            raise UserError(f"no flavour `{flavour}`{did_you_mean(flavour, known)} (known: {', '.join(known)})")


def _variants(profile: Profile) -> tuple[VariantChoice, ...]:
    if profile.variants:
        _each_once([variant.name for variant in profile.variants], "variant")
        return profile.variants
    base = VariantChoice(name="base", series="none")
    if profile.series == "none":
        return (base,)
    return (base, VariantChoice(name="patched"))
