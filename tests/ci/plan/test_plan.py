# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line's wishes laid over a profile, and the cells that follow."""

from typing import Any

import pytest

from ci.plan.plan import Plan
from ci.plan.wishes import Wishes, make_plan
from configs.model import BudgetChoice, LayoutChoice, Profile, SuiteChoice, VariantChoice
from configs.result import Cell
from util.errors import UserError

PROFILE = Profile(
    name="p",
    description="d",
    source="debian:linux-source-5.10",
    series="some.mbox",
    archs=("x86_64", "aarch64"),
    suites=(SuiteChoice(name="selftests/seccomp", timeout=90),),
)


def plan(profile: Profile = PROFILE, **wishes: Any) -> Plan:
    return make_plan(profile, Wishes(**wishes), accel="auto", jobs=2, fresh=False)


def test_every_abi_of_every_arch_on_both_variants() -> None:
    cells = plan().cells()
    assert [cell.variant for cell in cells[:2]] == ["base", "patched"]
    assert {(cell.arch, cell.abi) for cell in cells} == {
        ("x86_64", "x86_64"), ("x86_64", "x32"), ("x86_64", "i386"), ("aarch64", "aarch64"), ("aarch64", "arm"),
    }  # fmt: skip
    assert len(cells) == 10


def test_no_series_leaves_one_variant() -> None:
    assert [variant.name for variant in plan(series="none").variants] == ["base"]


def test_an_abi_drops_the_architectures_that_have_none() -> None:
    assert [(target.arch.name, target.abis) for target in plan(abis=("arm",)).targets] == [("aarch64", ("arm",))]


def test_a_suite_of_the_profile_keeps_its_options() -> None:
    assert plan(suites=("selftests/seccomp",)).profile.suites[0].timeout == 90
    assert plan(suites=("boot",)).profile.suites == (SuiteChoice(name="boot"),)


def test_variants_that_differ_by_configuration_only() -> None:
    sides = (VariantChoice(name="off", config=("CONFIG_A=n",)), VariantChoice(name="on", config=("CONFIG_A=y",)))
    made = plan(PROFILE.model_copy(update={"variants": sides}))
    assert (made.base.name, made.judged.name) == ("off", "on")


def test_layout_and_size_are_suites_without_cells_of_guests() -> None:
    assert plan().static == ("layout", "size", "checkpatch")
    assert plan(suites=("selftests/seccomp",)).static == ()
    alone = plan(suites=("size",))
    assert (alone.static, alone.cells()) == (("size",), [])
    assert alone.shaping == PROFILE.suites  # the same kernel as that of the whole run


def test_a_profile_may_leave_layout_and_size_out() -> None:
    bare = {"size": False, "checkpatch": False, "layout": LayoutChoice(touched=False)}
    assert plan(PROFILE.model_copy(update=bare)).static == ()
    named = bare | {"layout": LayoutChoice(structs=("page",), touched=False)}
    assert plan(PROFILE.model_copy(update=named)).static == ("layout",)


def test_what_only_reads_patches_needs_no_kernel() -> None:
    assert not plan(suites=("checkpatch",)).needs_kernels
    assert plan(suites=("checkpatch", "size")).needs_kernels
    assert plan().needs_kernels


def test_a_budget_of_a_suite_that_the_profile_does_not_run_is_a_mistake() -> None:
    budget = BudgetChoice(suite="selftests/secomp", figure="*", limit="no growth")
    with pytest.raises(UserError, match="which the profile does not run; did you mean `selftests/seccomp`"):
        plan(PROFILE.model_copy(update={"budgets": (budget,)}))
    plan(PROFILE.model_copy(update={"budgets": (budget.model_copy(update={"suite": "size"}),)}), suites=("layout",))


def test_a_static_cell_is_repeated_without_a_guest() -> None:
    command = plan().command_for(Cell("patched", "x86_64", "-", "plain", "layout"))
    assert command[-6:] == ("--arch", "x86_64", "--flavour", "plain", "--suite", "layout")


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"archs": ("sparc64",)}, "no architecture `sparc64`"),
        ({"abis": ("i368",)}, "did you mean `i386`"),
        ({"archs": ("aarch64",), "abis": ("x32",)}, "no ABI `x32` on aarch64"),
        ({"flavours": ("kassan",)}, "no flavour `kassan`"),
        ({"archs": ("x86_64", "x86_64")}, "named twice"),
    ],
)
def test_a_name_that_is_not_known(wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        plan(**wishes)


def test_an_architecture_of_several_leaves_the_abis_of_the_profile_that_it_has() -> None:
    mixed = PROFILE.model_copy(update={"archs": ("x86_64", "aarch64"), "abis": ("x86_64", "arm")})
    assert [target.abis for target in plan(mixed, archs=("aarch64",)).targets] == [("arm",)]
    only = mixed.model_copy(update={"abis": ("x86_64",)})
    with pytest.raises(UserError, match=r"runs no ABI of aarch64 \(its ABIs: x86_64\): name some by --abi"):
        plan(only, archs=("aarch64",))
    assert [target.abis for target in plan(only, archs=("aarch64",), abis=("arm",)).targets] == [("arm",)]
