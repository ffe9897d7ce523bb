# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked of each kernel, and who has the last word."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ci.plan.build_tasks import kernel_requests
from ci.plan.variants import PreparedVariant, Variants
from ci.plan.wishes import Wishes, make_plan
from configs.model import Profile, SuiteChoice, VariantChoice
from kernels.build.make.recipe import KernelRequest
from kernels.kconfig.fragments import merge
from kernels.patches.apply import Applied
from kernels.patches.patch import Series
from kernels.source.resolve import Source
from util.paths import ROOT

OPTION = "SECCOMP_CACHE_DEBUG"
"""`seccomp/edges` asks for it."""
OFF, ON = (f"CONFIG_{OPTION}={value}" for value in "ny")


def requested(changes: Mapping[str, object], series: Series | None = None) -> dict[str, KernelRequest]:
    """By variant."""
    suites = (SuiteChoice(name="seccomp/ways"), SuiteChoice(name="seccomp/edges"))
    variants = (VariantChoice(name="first"), VariantChoice(name="second"))
    profile = Profile(
        name="p", description="d", source="git:/x", archs=("x86_64",), suites=suites, variants=variants
    ).model_copy(update=dict(changes))
    plan = make_plan(profile, Wishes(), accel="auto", jobs=2, fresh=False)
    prepared = tuple(PreparedVariant(choice, series, Applied("c", "t")) for choice in plan.variants)
    requests = kernel_requests(plan, Variants(Source("git:/x", "x", "c", "t", "5.10"), prepared), Path())
    return {key.variant: request for key, request in requests.items()}


def asked(**changes: object) -> dict[str, str]:
    """By variant, the value that its kernel is asked to give OPTION."""
    found = {}
    for variant, request in requested(changes).items():
        (found[variant],) = (line.value for names, line in merge(request.fragments).items() if OPTION in names)
    return found


def test_a_suite_has_what_it_asks_for() -> None:
    assert asked() == {"first": "y", "second": "y"}


def test_a_variant_overrules_a_suite() -> None:
    variants = (VariantChoice(name="off", config=(OFF,)), VariantChoice(name="on", config=(ON,)))
    assert asked(variants=variants) == {"off": "n", "on": "y"}


def test_a_profile_overrules_a_suite_and_a_variant_the_profile() -> None:
    variants = (VariantChoice(name="first"), VariantChoice(name="second", config=(ON,)))
    assert asked(config=(OFF,), variants=variants) == {"first": "n", "second": "y"}


def test_what_the_profile_says_of_one_suite_overrules_all_suites() -> None:
    suites = (SuiteChoice(name="seccomp/ways", config=(OFF,)), SuiteChoice(name="seccomp/edges"))
    assert asked(suites=suites) == {"first": "n", "second": "n"}


def taint(origin: str) -> str:
    (found,) = {request.taint for request in requested({}, Series(origin, "t", 1, ())).values()}
    return found


def test_the_objects_of_our_own_series_serve_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "docs")
    for origin in (str(ROOT / "kernels" / "series" / "seccomp-cache"), "../kernels/series/seccomp-cache"):
        assert taint(origin) == ""


def test_those_of_a_series_from_outside_serve_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder beside ours, one that is reached through ours, and ranges: also such as are asked for here."""
    monkeypatch.chdir(ROOT)
    for origin in (f"{ROOT}-of-others/series", f"{ROOT}/kernels/../../series", "../x.mbox", "HEAD~2..HEAD"):
        assert taint(origin)
    monkeypatch.chdir(tmp_path)
    here, there = taint("patches"), taint(f"{tmp_path}/patches")
    assert here == there
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir("sub")
    assert taint("patches") != here
    assert taint("../patches") == here
