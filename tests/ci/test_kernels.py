# SPDX-License-Identifier: GPL-2.0-only
"""What is asked of each kernel, and who has the last word."""

from pathlib import Path

from ci.kernels import kernel_requests
from ci.plan import Wishes, make_plan
from ci.sides import Side, Sides
from configs.model import Profile, SuiteChoice, VariantChoice
from kernels.apply import Applied
from kernels.kconfig import merge
from kernels.source import Source

OPTION = "SECCOMP_CACHE_DEBUG"
"""`seccomp/edges` asks for it."""
OFF, ON = (f"CONFIG_{OPTION}={value}" for value in "ny")


def asked(**changes: object) -> dict[str, str]:
    """By variant, the value that its kernel is asked to give OPTION."""
    suites = (SuiteChoice(name="seccomp/ways"), SuiteChoice(name="seccomp/edges"))
    variants = (VariantChoice(name="first"), VariantChoice(name="second"))
    profile = Profile(
        name="p", description="d", source="git:/x", archs=("x86_64",), suites=suites, variants=variants
    ).model_copy(update=changes)
    plan = make_plan(profile, Wishes(), accel="auto", jobs=2, fresh=False)
    sides = tuple(Side(choice, None, Applied("c", "t")) for choice in plan.variants)
    requests = kernel_requests(plan, Sides(Source("git:/x", "x", "c", "t", "5.10"), sides), Path())
    found = {}
    for key, request in requests.items():
        (found[key.variant],) = (line.value for names, line in merge(request.fragments).items() if OPTION in names)
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
