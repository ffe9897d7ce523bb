# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures about filters, each beside what it is compared with: `python -m bench.figures`."""

import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from testcases.measured import Measurement
from testcases.seccomp.agent.programs import AGENT
from testcases.seccomp.bpf.instruction import Program, to_raw
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS, DEFAULT_ARCH
from testcases.seccomp.bpf.validate import attached
from testcases.seccomp.corpus import container, corpus
from testcases.seccomp.edges import edges
from testcases.seccomp.filters.libseccomp import together
from testcases.seccomp.filters.policy import Form
from testcases.seccomp.prove.designs import Merged
from testcases.seccomp.prove.facts import abi_numbers, kernel_facts
from testcases.seccomp.prove.oracle import Oracle
from testcases.selftests.build.libraries import debian_source
from util.errors import MachineError
from util.events import silent
from util.files.cached import cached_folder
from util.paths import ROOT, cache
from util.stop import Stop

ARCH = DEFAULT_ARCH
KERNEL = "6.12"
RUNS = 21
SIMULATOR = "scmp_bpf_sim"
STACKS = ("seccomp/corpus", "seccomp/edges", "seccomp/ways", "seccomp/fuzz")
"""The suites that make calls under stacks of filters."""
_SPEED = re.compile(r"(?P<calls>\d+) calls under \d+ stacks in (?P<seconds>[\d.]+) s of guest time")
SIM_ARCH = {"x86_64": "x86_64", "x32": "x32", "i386": "x86"}
"""What the simulator calls an ABI."""


def simulator() -> Path:
    """libseccomp's simulator, compiled from Debian's source package (no package holds it). Raises MachineError."""
    archive = debian_source("libseccomp", silent, Stop())

    def make(folder: Path) -> None:
        source = folder / "source"
        source.mkdir()
        tools = source / "tools"
        for command in (
            ["tar", "-x", "-f", str(archive), "-C", str(source), "--strip-components=1"],
            ["gcc", "-O2", "-o", str(folder / SIMULATOR), str(tools / f"{SIMULATOR}.c"), str(tools / "util.c")],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise MachineError(f"{SIMULATOR} does not build: {done.stderr.strip()[:300]}")

    return cached_folder(cache("testcases", "tools"), f"{SIMULATOR}-{archive.name}", Stop(), make) / SIMULATOR


def classification(_folder: Path) -> Iterator[Measurement]:
    """The container profile for every number of three ABIs: all at once by the merged model, one by one elsewhere."""
    facts = kernel_facts(KERNEL)
    for form in Form:
        program = together(container.profile(ARCH).policy, ARCH_ABIS[ARCH], form)
        ours = statistics.median(_classify(program) for _ in range(RUNS))
        count = sum(len(abi_numbers(abi, facts.sizes[ABIS[abi].audit_arch])) for abi in ARCH_ABIS[ARCH])
        what = f"{count} numbers, {len(program)} instructions"
        yield Measurement(f"container profile, {form}", f"{ours * 1000:.1f} ms", "<= 20 ms", what)
        theirs = _simulate(program)
        sides = f"{theirs:.2f} s / {ours * 1000:.1f} ms"
        yield Measurement(f"{SIMULATOR} / merged model, {form}", f"{theirs / ours:.0f}", ">= 100", sides)


def _classify(program: Program) -> float:
    """Seconds for the cached numbers of all ABIs, from nothing."""
    start = time.perf_counter()
    model = Merged(kernel_facts(KERNEL))
    for arch in {ABIS[abi].audit_arch for abi in ARCH_ABIS[ARCH]}:
        model.cached((program,), arch)
    return time.perf_counter() - start


def _simulate(program: Program) -> float:
    """Seconds for one call of the simulator per number; what it says is compared with what the model says.

    The simulator answers for arguments of 0 only, so that it may allow what is not cached, but not the reverse.
    """
    tool, facts = str(simulator()), kernel_facts(KERNEL)
    model = Merged(facts)
    with tempfile.NamedTemporaryFile(suffix=".bpf") as file:
        file.write(to_raw(program))
        file.flush()
        start = time.perf_counter()
        said = {
            (abi, number): _one_call([tool, "-f", file.name, "-a", SIM_ARCH[abi], "-s", str(number)])
            for abi in ARCH_ABIS[ARCH]
            for number in abi_numbers(abi, facts.sizes[ABIS[abi].audit_arch])
        }
        seconds = time.perf_counter() - start
    for abi in ARCH_ABIS[ARCH]:
        arch = ABIS[abi].audit_arch
        own = abi_numbers(abi, facts.sizes[arch]) - model.exempt(arch)
        for number in model.cached((program,), arch) & own:
            if said[abi, number] != "ALLOW":
                raise RuntimeError(f"{abi} {number}: cached, but {SIMULATOR} says {said[abi, number]}")
    return seconds


def _one_call(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def oracle(_folder: Path) -> Iterator[Measurement]:
    """What is always allowed, exactly, for every stack of the corpus, and then of the edges, under every ABI."""
    facts = kernel_facts(KERNEL)
    for name, goal, source in [("the corpus", "<= 60 s", corpus), ("the edges", "-", edges)]:
        members = [member for arch in ARCH_ABIS for member in source(arch)]
        start = time.perf_counter()
        for member in members:
            judge = Oracle(attached(member.stack))
            for abi in ARCH_ABIS[member.arch]:
                arch = ABIS[abi].audit_arch
                judge.always_allowed(arch, abi_numbers(abi, facts.sizes[arch]))
        seconds = time.perf_counter() - start
        yield Measurement(f"exact oracle over {name}", f"{seconds:.1f} s", goal, f"{len(members)} stacks, 5 ABIs")


def decisions(folder: Path) -> Iterator[Measurement]:
    """How many calls under filters are made and judged in a second of the guests in which they are made: every stack,
    every ABI, base and patched, each guest fresh."""
    command = [str(ROOT / "rig.py"), "check", "--fresh", "--quiet", "--suite", ",".join(STACKS), "--out", str(folder)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    found = [*speeds((folder / "results.json").read_text(encoding="utf-8"))]
    calls, seconds = (sum(side) for side in zip(*found, strict=True))
    sides = f"{calls / 1e6:.2f} million in {seconds:.0f} s of {len(found)} guests"
    yield Measurement("decisions per second of guest time", f"{calls / seconds / 1000:.0f} k", ">= 100 k", sides)


def speeds(results: str) -> Iterator[tuple[int, float]]:
    """Calls and seconds of each guest with an agent, from the text of a results.json."""
    for cell in json.loads(results)["cells"]:
        for test in cell["tests"]:
            if test["name"] == AGENT and (words := _SPEED.match(test["message"])):
                yield int(words["calls"]), float(words["seconds"])


PARTS = {"classification": classification, "oracle": oracle, "decisions": decisions}
