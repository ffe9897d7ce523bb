# SPDX-License-Identifier: GPL-2.0-or-later
"""Structs of real kernels of both architectures: the same totals as pahole's of the same object."""

from pathlib import Path

import pytest

from ci.plan.build_tasks import kernel_requests
from ci.plan.variants import prepare_variants
from ci.plan.wishes import Wishes, make_plan
from configs.loader import load_profile
from kernels.binary.dwarf import read_structs
from kernels.build.build import build_kernel
from kernels.build.debug_compile import debug_object
from kernels.build.units import Units
from kernels.source.store import Store
from kernels.source.worktree import worktree
from tests.kernels.pahole import ours, pahole
from util.children.jobserver import Jobserver
from util.events import silent
from util.stop import Stop

STRUCTS = ("seccomp_filter", "task_struct", "mm_struct", "page", "file", "inode", "cred", "sighand_struct", "bpf_prog")


@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_totals_are_those_of_pahole(arch: str) -> None:
    """`kernel/seccomp.c` of the built-in profile's base; in all of these structs, both give the same six figures."""
    stop, store = Stop(), Store()
    wishes = Wishes(series="none", archs=(arch,))
    plan = make_plan(load_profile("seccomp-cache"), wishes, accel="auto", jobs=2, fresh=False)
    variants = prepare_variants(plan, store, silent, stop)
    with worktree(store, variants.judged.applied.commit, silent, stop) as tree, Jobserver(2) as jobs:
        (request,) = kernel_requests(plan, variants, tree).values()
        build = build_kernel(request, store, jobs, silent, stop, objects=True)
        objects: Path = build.folder / "objects"
        unit = Units(objects).showing("kernel/seccomp.c")
        assert unit is not None
        with debug_object(unit, STRUCTS, objects, tree, stop) as made:
            found = read_structs(made, STRUCTS)
            assert found.keys() == set(STRUCTS)
            assert {name: ours(found[name]) for name in STRUCTS} == {name: pahole(made, name) for name in STRUCTS}
