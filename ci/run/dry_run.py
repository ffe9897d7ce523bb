# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py check --dry-run`: prints every command that a run would execute, ready to paste, and executes none of them.

Only the source is fetched and the series applied, inside the rig's own store: the commands depend on both.
"""

from collections.abc import Iterator
from pathlib import Path

from ci.plan.build_tasks import KernelKey, kernel_requests
from ci.plan.expand import expanded
from ci.plan.plan import Plan
from ci.plan.variants import Variants, each_patch, prepare_variants
from ci.verdict.known import known_issues
from guests.qemu.machine import image_of, machine_of
from guests.run.request import GuestRequest, command_by_hand
from initramfs.job import GuestJob
from kernels.build.build import KernelRequest, commands_by_hand
from kernels.kconfig.fragments import merge, request_text
from kernels.sandbox.sandbox import sandbox_kind
from kernels.source.store import Store
from kernels.source.worktree import worktree
from testcases.registry import find_suite
from testcases.suite import SuiteContext
from util.errors import UserError
from util.events import Listener
from util.paths import cache_root
from util.stop import Stop
from util.text import file_name, paste, plain_line


def dry_run(plan: Plan, emit: Listener, stop: Stop) -> str:
    """The commands as text, a comment before each group. Raises UserError for a series that does not apply, and for
    known issues that cannot be read: a run would stop at them."""
    known_issues(plan.profile)
    store = Store()
    variants = prepare_variants(plan, store, emit, stop)
    if plan.each:
        plan, variants = each_patch(plan, variants, store, emit, stop)
    for variant in variants.all:
        if variant.applied.failure:
            raise UserError(str(variant.applied.failure))
    plan = expanded(plan, variants, store, emit, stop)
    folder = cache_root() / "dry-run"
    with worktree(store, variants.judged.applied.commit, emit, stop) as tree:
        lines = [
            *_trees(variants, store, folder),
            *_kernels(plan, variants, tree, folder),
            *_suites(plan, variants, store, tree, folder, emit, stop),
            *_guests(plan, kernel_requests(plan, variants, tree), folder),
        ]
    return "\n".join(lines) + "\n"


def _trees(variants: Variants, store: Store, folder: Path) -> Iterator[str]:
    yield f"# {plain_line(variants.source.title)}"
    for variant in variants.all:
        title = f" with {plain_line(variant.series.title)}" if variant.series else ""
        yield f"# the tree of {variant.name}{title}"
        checkout = ("worktree", "add", "--detach", str(folder / variant.name / "tree"), variant.applied.commit)
        yield paste(("git", f"--git-dir={store.git_dir}", *checkout))


def _kernels(plan: Plan, variants: Variants, tree: Path, folder: Path) -> Iterator[str]:
    for key, request in kernel_requests(plan, variants, tree).items():
        yield f"# build {request.label}"
        source, output = folder / key.variant / "tree", _output(folder, key.variant, key.arch, key.flavour)
        yield from map(paste, commands_by_hand(request, source, output, plan.jobs, sandbox_kind()))


def _suites(
    plan: Plan, variants: Variants, store: Store, tree: Path, folder: Path, emit: Listener, stop: Stop
) -> Iterator[str]:
    for choice in plan.profile.suites:
        for target in plan.targets:
            if choice.archs and target.arch.name not in choice.archs:
                continue
            for abi in target.abis:
                context = SuiteContext(
                    choice=choice,
                    tree=tree,
                    commit=variants.judged.applied.commit,
                    store=store,
                    arch=target.arch,
                    abi_name=abi,
                    abi=target.arch.abis[abi],
                    emit=emit,
                    stop=stop,
                )
                made = folder / "suites" / f"{abi}-{file_name(choice.name)}"
                checkout = folder / variants.judged.name / "tree"
                if commands := find_suite(choice.name)[0].commands(context, checkout, made):
                    yield f"# suite {choice.name} for {abi}"
                    yield from map(paste, commands)


def _guests(plan: Plan, kernels: dict[KernelKey, KernelRequest], folder: Path) -> Iterator[str]:
    """The accelerator is proved by a boot, so `auto` is shown as the one that works everywhere."""
    yield "# Each guest's initrd.cpio (init, the suite's programs, the job) is written by the rig; a check leaves"
    yield "# it, with this command as run.sh, beside the console of every guest in which something failed. What a suite"
    yield "# asks for of its guests (another machine, more memory or processors, disks, cards) stands in run.sh alone."
    machines = {choice.name: choice.machine for choice in plan.profile.suites}
    archs = {target.arch.name: target.arch for target in plan.targets}
    for cell in plan.cells():
        arch = archs[cell.arch]
        machine = machine_of(arch, machines[cell.suite])
        asked = request_text(merge(kernels[KernelKey(cell.variant, cell.arch, cell.flavour)].fragments))
        image = arch.outputs[image_of(machine, frozenset(asked.splitlines()))]
        request = GuestRequest(
            arch=arch,
            machine=machines[cell.suite],
            kernel=_output(folder, cell.variant, cell.arch, cell.flavour) / image,
            vmlinux=None,
            initrd=(),
            job=GuestJob(nonce="dry-run"),
            accel="tcg" if plan.accel == "auto" else plan.accel,
            folder=folder / "guests" / str(cell).replace("/", "-"),
            memory_mb=plan.profile.memory_mb,
            label=str(cell),
        )
        yield f"# guest {cell}"
        yield paste(command_by_hand(request))


def _output(folder: Path, variant: str, arch: str, flavour: str) -> Path:
    return folder / variant / f"{arch}-{flavour}"
