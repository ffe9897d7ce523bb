# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of the filter, cache and attach code in kernel/seccomp.c the differential suite reaches, as gcov counts
them in guests of both architectures: `python -m bench.campaign coverage`.

The kernels are those of the built-in series and profile, of flavour gcov, with every object instrumented. A line
counts as reached if any guest reached it. Code that only strict mode, supervisors, checkpointing or the sysctl enter
is not what the suite is about, and is left out by the names of its functions.
"""

import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from configs.loader import as_yaml, load_arch, load_profile
from configs.model import Arch, SuiteChoice, VariantChoice
from guests.qemu.machine import kernel_of
from guests.run.accel import prove_accel
from guests.run.request import GuestRequest
from guests.run.run import run_guest
from initramfs.base import base_image, job_image
from initramfs.job import GuestJob, Step
from kernels.build.make.compiler import prefix
from testcases.measured import CampaignPart
from testcases.registry import find_suite
from testcases.suite import SuiteContext
from util.events import silent
from util.stop import Stop

OTHERS = re.compile(
    r"strict|notif|addfd|listener|recv_wait|nth_filter|seccomp_get_|metadata|action|sysctl|prctl_get_seccomp"
)
GOAL = 90
PROFILE = "seccomp-cache"
_COUNTS = "counts"
_SEND = "find /sys/kernel/debug/gcov -name seccomp.gcda -exec cat {} +"

Built = Callable[..., Path]
Lines = dict[str, dict[int, int]]
"""How often each line was executed, by function."""


def kernel(built: Built, folder: Path, arch: str) -> Path:
    """The build folder of the patched, counting kernel of one architecture."""
    profile = load_profile(PROFILE)
    counting = {
        "variants": (VariantChoice(name="patched"),),
        "flavours": ("gcov",),
        "config": (*profile.config, "CONFIG_GCOV_PROFILE_ALL=y"),
    }
    path = folder / "gcov.yaml"
    path.write_text(as_yaml(profile.model_copy(update=counting).model_dump(mode="json")), encoding="utf-8")
    return built("--profile", str(path), "--arch", arch)


def counted(arch: Arch, abi: str, choice: SuiteChoice, build: Path, folder: Path) -> bytes:
    """The kernel's counters (.gcda) after one suite in one guest. Exits if the guest does not finish."""
    suite, machine = find_suite(choice.name)[0], arch.machines[arch.default_machine]
    payload = suite.prepare(_context(arch, abi, choice, build))
    image = base_image(arch, silent, Stop(), shell=True)
    accel = prove_accel("auto", arch, "", kernel_of(machine, build), image, silent, Stop())
    steps = (*payload.steps, Step(_COUNTS, ("/bin/busybox", "sh", "-c", _SEND), timeout=60))
    job = GuestJob(nonce=secrets.token_hex(16), steps=steps, time_scale=accel.time_scale)
    outcome = run_guest(
        GuestRequest(
            arch=arch,
            machine="",
            kernel=kernel_of(machine, build),
            vmlinux=None,
            initrd=(image, job_image(job, payload.files)),
            job=job,
            accel=accel.name,
            folder=folder,
        ),
        silent,
        Stop(),
    )
    found = outcome.steps[-1]
    if found.how != "exited" or found.value or not found.stdout:
        sys.exit(f"{choice.name} {abi}: no counters: {outcome.message} {found.stderr.decode(errors='replace')}")
    return found.stdout


def lines(arch: Arch, build: Path, counters: bytes, folder: Path) -> Lines:
    """What gcov makes of the counters."""
    notes = build / "objects" / "kernel" / "seccomp.gcno"
    if not notes.exists():
        sys.exit(f"{notes} is gone: `./rig.py clean --older-than 0` and measure again")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(notes, folder / "seccomp.gcno")
    (folder / "seccomp.gcda").write_bytes(counters)
    command = [f"{prefix(arch)}gcov", "--json-format", "--stdout", "seccomp.gcda"]
    told = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    found: Lines = defaultdict(dict)
    for file in json.loads(told)["files"]:
        for line in file["lines"]:
            name = line.get("function_name", "")
            if file["file"].endswith("kernel/seccomp.c") and name and not OTHERS.search(name):
                found[name][line["line_number"]] = line["count"]
    return found


def merge(into: Lines, other: Lines) -> None:
    """Adds the counts of `other`."""
    for name, counts in other.items():
        mine = into.setdefault(name, {})
        for line, count in counts.items():
            mine[line] = mine.get(line, 0) + count


def report(found: Lines) -> Iterator[str]:
    """One line for each function, with the lines that were not reached, and one for the whole."""
    for name, counts in sorted(found.items(), key=lambda item: min(item[1])):
        missed = sorted(line for line, count in counts.items() if not count)
        where = f"  not reached: {', '.join(map(str, missed))}" if missed else ""
        yield f"{name:40} {len(counts) - len(missed):3} of {len(counts):3}{where}"
    reached, total = reach(found)
    yield f"kernel/seccomp.c: {reached} of {total} lines, {100 * reached / total:.1f} %  goal >= {GOAL} %"


def reach(found: Lines) -> tuple[int, int]:
    """How many of how many lines were executed."""
    counts = [count for lines_ in found.values() for count in lines_.values()]
    return sum(map(bool, counts)), len(counts)


def _context(arch: Arch, abi: str, choice: SuiteChoice, tree: Path) -> SuiteContext:
    return SuiteContext(
        choice=choice, tree=tree, commit="", store=None, arch=arch, abi_name=abi, abi=arch.abis[abi],  # type: ignore[arg-type]
        emit=silent, stop=Stop(),
    )  # fmt: skip


def coverage(built: Built, archs: tuple[str, ...] = ("x86_64", "aarch64")) -> Iterator[tuple[bool, str]]:
    """Builds, runs every suite of the profile that is ours under every ABI, and says what was reached."""
    choices = [choice for choice in load_profile(PROFILE).suites if choice.name.startswith("seccomp/")]
    total: Lines = {}
    with tempfile.TemporaryDirectory(prefix="rig-bench-") as name:
        folder = Path(name)
        for arch in map(load_arch, archs):
            build = kernel(built, folder, arch.name)
            own: Lines = {}
            for abi in arch.abis:
                for choice in choices:
                    place = folder / f"{abi}-{choice.name.replace('/', '-')}"
                    counters = counted(arch, abi, choice, build, place)
                    merge(own, lines(arch, build, counters, place / "gcov"))
                    click.echo(f"{abi} {choice.name}: {list(report(own))[-1]}", err=True)
            merge(total, own)
    reached, all_lines = reach(total)
    yield 100 * reached >= GOAL * all_lines, "\n".join(report(total))


PARTS: dict[str, CampaignPart] = {"coverage": coverage}
