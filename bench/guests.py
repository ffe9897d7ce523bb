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

from bench.boots import built, empty_request
from bench.exact import exact_counts
from ci.cells.saved_guests import BOOTED, SAVED, SWITCH
from configs.loader import load_arch
from guests.crash.outcome import End
from guests.run.request import GuestRequest, SavedGuest
from guests.run.run import run_guest
from guests.run.saved import save_guest, waiting
from testcases.measured import Measurement, children_seconds
from util.events import silent
from util.paths import ROOT
from util.stop import Stop

MACHINES = (("x86_64", "microvm"), ("x86_64", "q35"), ("aarch64", "virt"))
ROUNDS = 7
REPETITIONS = 5
"""Guests of each ABI for the row about exactness; `bench.campaign exact` has many."""


def copies(folder: Path) -> Iterator[Measurement]:
    """The processor time of a guest with nothing to do: a copy of a saved one, and one that boots, turn about."""
    kernels = {name: built("--series", "none", "--arch", name) for name in dict(MACHINES)}
    for name, machine in MACHINES:
        request = replace(empty_request(load_arch(name), kernels[name], folder / machine), machine=machine)
        saved = SavedGuest(folder / f"{machine}-saved")
        saved.folder.mkdir()
        save_guest(waiting(request, Stop()), saved, Stop())
        rounds = [(_spent(replace(request, saved=saved)), _spent(request)) for _ in range(ROUNDS)]
        copy, boot = (statistics.median(side) for side in zip(*rounds, strict=True))
        size = saved.state.stat().st_size / 1e6
        sides = f"processor time; a boot {boot:.2f} s; {size:.0f} MB saved"
        yield Measurement(f"{name} {machine}: an empty copy", f"{copy:.2f} s", "<= 0.15 s", sides)


def _spent(request: GuestRequest) -> float:
    """Processor seconds of QEMU and of what it starts, for one guest that must finish as it was asked to start."""
    before = children_seconds()
    outcome = run_guest(request, silent, Stop())
    if outcome.end is not End.FINISHED or outcome.restored != (request.saved is not None):
        sys.exit(f"the empty guest: {outcome.end}: {outcome.message} {outcome.notes}")
    return children_seconds() - before


def fresh(folder: Path) -> Iterator[Measurement]:
    """The default run with every guest fresh, kernels and batches in the cache: booted guests, and copies."""
    seconds = dict.fromkeys((SAVED, BOOTED), 0.0)
    for word in seconds:
        command = [str(ROOT / "rig.py"), "check", "--fresh", "--quiet", "--out", str(folder / word)]
        start = time.monotonic()
        subprocess.run(command, env=os.environ | {SWITCH: word}, stdout=subprocess.DEVNULL, check=True)
        seconds[word] = time.monotonic() - start
    yield Measurement(
        "default run, every guest fresh",
        f"{seconds[SAVED]:.0f} s",
        "<= 120 s",
        f"booted guests {seconds[BOOTED]:.0f} s",
    )


def spread(folder: Path) -> Iterator[Measurement]:
    """How far apart one counted figure was at most, of guests of every ABI under changing load."""
    counts = exact_counts(REPETITIONS, 1, folder)
    guests = sum(count.guests for count in counts)
    failed = [reason for count in counts for reason in count.failed]
    value = f"{max(count.widest for count in counts)} insns" if not failed else "FAILED"
    sides = failed[0] if failed else f"{guests} guests, {sum(len(count.first) for count in counts)} figures"
    yield Measurement("spread of a counted figure", value, "0", sides)


PARTS = {"copies": copies, "fresh": fresh, "spread": spread}
