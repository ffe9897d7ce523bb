# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures about guests: what a copy of a saved one costs beside a boot, and how exact a counted one is."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.guests.boots import built, copy_of, empty_request, rig_boot
from bench.guests.exact import exact_counts
from bench.subject import subject
from ci.cells.guest.saved_guests import BOOTED, SAVED, SWITCH
from ci.model.results import Run
from ci.model.verdicts import Effect
from configs.loader import load_arch
from guests.run.request import GuestRequest
from testcases.measured import Measurement, children_seconds
from tests.faults.variants import compose
from util.paths import ROOT

MACHINES = (("x86_64", "microvm"), ("x86_64", "q35"), ("aarch64", "virt"))
_RIG = str(ROOT / "rig.py")
ROUNDS = 7
REPETITIONS = 5
"""Guests of each ABI for the row about exactness; `bench.campaign exact` has many."""


def copies(folder: Path) -> Iterator[Measurement]:
    """The processor time of a guest with nothing to do: a copy of a saved one, and one that boots, turn about."""
    kernels = {name: built("--series", "none", "--arch", name) for name in dict(MACHINES)}
    for name, machine in MACHINES:
        request = replace(empty_request(load_arch(name), kernels[name], folder / machine), machine=machine)
        copied = copy_of(request, folder)
        rounds = [(_spent(copied), _spent(request)) for _ in range(ROUNDS)]
        copy, boot = (statistics.median(side) for side in zip(*rounds, strict=True))
        size = copied.saved.state.stat().st_size / 1e6 if copied.saved else 0.0
        sides = f"processor time; a boot {boot:.2f} s; {size:.0f} MB saved"
        yield Measurement(f"{name} {machine}: an empty copy", f"{copy:.2f} s", "<= 0.15 s", sides)


def _spent(request: GuestRequest) -> float:
    """Processor seconds of QEMU and of what it starts."""
    before = children_seconds()
    rig_boot(request)
    return children_seconds() - before


def fresh(folder: Path) -> Iterator[Measurement]:
    """The default run with every guest fresh, kernels and batches in the cache: booted guests, and copies."""
    seconds = dict.fromkeys((SAVED, BOOTED), 0.0)
    for word in seconds:
        command = [_RIG, "check", "--fresh", "--quiet", "--out", str(folder / word)]
        start = time.monotonic()
        subprocess.run(command, env=os.environ | {SWITCH: word}, stdout=subprocess.DEVNULL, check=True)
        seconds[word] = time.monotonic() - start
    yield Measurement(
        "default run, every guest fresh",
        f"{seconds[SAVED]:.0f} s",
        "<= 120 s",
        f"booted guests {seconds[BOOTED]:.0f} s",
    )


def failing(folder: Path) -> Iterator[Measurement]:
    """The default run of a series that fails tests beside one that passes, kernels built, every guest fresh."""
    broken = compose(ROOT / subject().failing, folder / "broken")
    subprocess.run([_RIG, "build", "--quiet", "--series", str(broken)], stdout=subprocess.DEVNULL, check=True)
    passed = _judged(folder / "passed", 0)
    failed = _judged(folder / "failed", 1, "--series", str(broken))
    run = Run.model_validate_json((folder / "failed" / "results.json").read_text(encoding="utf-8"))
    tests = sum(item.effect is Effect.FAIL for item in run.comparisons)
    sides = f"{failed:.0f} s, {tests} tests fail / {passed:.0f} s"
    yield Measurement("default run that fails / one that passes", f"{failed / passed:.2f}", "<= 1.5", sides)


def hanging(folder: Path) -> Iterator[Measurement]:
    """A run in which one selftest hangs on the judged kernel, of one ABI, from its start to the verdict; beside it the
    same with the series that passes. Kernels built, every guest fresh."""
    chosen = ("--arch", "x86_64", "--abi", "x86_64", "--suite", subject().selftests)
    hung = ("--series", str(ROOT / subject().hanging))
    subprocess.run([_RIG, "build", "--quiet", *hung, "--arch", "x86_64"], stdout=subprocess.DEVNULL, check=True)
    passed = _judged(folder / "passed", 0, *chosen)
    hangs = _judged(folder / "hung", 1, *chosen, *hung)
    yield Measurement("a test hangs: the whole run", f"{hangs:.0f} s", "<= 30 s", f"nothing hangs: {passed:.0f} s")


def _judged(out: Path, status: int, *arguments: str) -> float:
    """Wall seconds of one check with fresh guests that must end with the status."""
    command = [_RIG, "check", "--fresh", "--quiet", *arguments, "--out", str(out)]
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != status:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.monotonic() - start


def spread(folder: Path) -> Iterator[Measurement]:
    """How far apart one counted figure was at most, of guests of every ABI under changing load."""
    counts = exact_counts(REPETITIONS, 1, folder)
    guests = sum(count.guests for count in counts)
    failed = [reason for count in counts for reason in count.failed]
    value = f"{max(count.widest for count in counts)} insns" if not failed else "FAILED"
    sides = failed[0] if failed else f"{guests} guests, {sum(len(count.first) for count in counts)} figures"
    yield Measurement("spread of a counted figure", value, "0", sides)


PARTS = {"copies": copies, "fresh": fresh, "failing": failing, "hanging": hanging, "spread": spread}
