# SPDX-License-Identifier: GPL-2.0-or-later
"""The rig's own figures, each beside what it is compared with, measured in one run: `python -m bench.figures`.

A figure is a ratio wherever it can be: this machine's speed drifts, and both sides of a ratio drift together.
"""

import hashlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bench import in_parts
from bench.bisect.histories import CASES
from bench.bisect.histories import make as make_history
from bench.bisect.plain_bisect import duels
from bench.guests import guest_figures
from bench.guests.boots import bare_boot, built, copy_of, empty_request, rig_boot
from bench.guests.virtme import install, lean_kernel, own_kernel, virtme_boot
from bench.plain_build import lay_out, plain_build
from bench.subject import subject
from ci.model.results import Run
from configs.loader import as_yaml, load_arch, load_profile
from configs.model import VariantChoice
from testcases.measured import Measurement, brought, children_seconds
from util.paths import ROOT

SOURCE = "debian:linux-source-5.10"
SELFTESTS = ("--suite", subject().selftests)
BOOTS = 5
PATCHES = 6
BEFORE = "d3c080b"
"""The last state in which `rig.py` imported every command whole."""
STARTED = 7
_WORDS = {"_RIG_PY_COMPLETE": "bash_complete", "COMP_WORDS": "./rig.py check --suite se", "COMP_CWORD": "3"}
STARTS: tuple[tuple[str, tuple[str, ...], dict[str, str]], ...] = (
    *((word, (word,), {}) for word in ("--help", "list", "doctor")),
    ("completion", (), _WORDS),
)


def timed(*arguments: str, environment: dict[str, str] | None = None) -> float:
    """Wall seconds of one `rig.py` that must end with status 0."""
    start = time.monotonic()
    command = [str(ROOT / "rig.py"), *arguments]
    finished = subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if finished.returncode:
        sys.exit(f"{' '.join(command)} ended with {finished.returncode}:\n{finished.stderr[-2000:]}")
    return time.monotonic() - start


@contextmanager
def empty_cache(folder: Path) -> Iterator[dict[str, str]]:
    """An environment with a cache of its own in which only the source is imported."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}
    timed("check", "--source", SOURCE, "--series", "none", "--suite", "boot", "--dry-run", environment=environment)
    yield environment


def cold(folder: Path) -> Iterator[Measurement]:
    """A first check of one architecture against the plain builds of the same two kernels; and is the image the same?"""
    arch = load_arch("x86_64")
    with empty_cache(folder) as environment:
        out = folder / "out"
        rig = timed("check", *SELFTESTS, "--arch", "x86_64", "--out", str(out), environment=environment)
        run = Run.model_validate_json((out / "results.json").read_text(encoding="utf-8"))
        plain = 0.0
        for variant in run.variants:
            build = next(item for item in run.builds if item.variant == variant.name)
            source, output = folder / variant.name / "src", folder / variant.name / "out"
            lay_out(folder / "cache/kernel-patch-rig/git/store.git", variant.commit, source)
            plain += plain_build(source, output, (out / build.config).read_bytes(), arch)
            shutil.rmtree(folder / variant.name)
        yield Measurement(
            "cold check / plain make of both", f"{rig / plain:.2f}", "<= 1.05", f"{rig:.0f} s / {plain:.0f} s"
        )
        yield from identical(folder, run)


def identical(folder: Path, run: Run) -> Iterator[Measurement]:
    """The patched image: incremental in the first cache, clean in another folder."""
    first = folder / "cache/kernel-patch-rig/kernels/builds"
    key = next(item.key for item in run.builds if item.variant == run.judged.name)
    other = folder / "other"
    environment = os.environ | {"XDG_CACHE_HOME": str(other / "cache")}
    shutil.copytree(folder / "cache/kernel-patch-rig/git", other / "cache/kernel-patch-rig/git", symlinks=True)
    profile = folder / "patched-only.yaml"
    only = load_profile(subject().profile).model_copy(update={"variants": (VariantChoice(name="patched"),)})
    profile.write_text(as_yaml(only.model_dump(mode="json")), encoding="utf-8")
    timed("build", "--profile", str(profile), "--arch", "x86_64", environment=environment)
    digests = [
        hashlib.sha256((builds / key / "image").read_bytes()).hexdigest()
        for builds in (first, other / "cache/kernel-patch-rig/kernels/builds")
    ]
    same = "identical" if digests[0] == digests[1] else "DIFFERENT"
    yield Measurement("images, incremental and clean", same, "identical", " / ".join(digest[:12] for digest in digests))


def each(folder: Path) -> Iterator[Measurement]:
    """A series of PATCHES that touches `.c` files alone, one architecture: what the first check with a build and a boot
    after every patch takes, links and all, against one that builds base and the last only."""
    profile, origin = folder / "profile.yaml", folder / "history"
    profile.write_text(as_yaml(load_profile("boot").model_dump(mode="json") | {"compile_with": []}), encoding="utf-8")
    commits = make_history(CASES[0], origin).commits
    arguments = ["check", "--profile", str(profile), "--source", f"git:{origin}@{commits[0]}"]
    arguments += ["--series", f"{commits[0]}..{commits[PATCHES]}", "--arch", "x86_64", "--abi", "x86_64"]
    took = []
    for name, more in (("whole", ()), ("every", ("--each",))):
        own = os.environ | {"XDG_CACHE_HOME": str(folder / name), "XDG_STATE_HOME": str(folder / f"{name}-state")}
        timed(*arguments, "--dry-run", environment=own)
        took.append(timed(*arguments, *more, "--out", str(folder / f"{name}-out"), environment=own))
        shutil.rmtree(folder / name)
    sides = f"{took[1]:.0f} s / {took[0]:.0f} s"
    yield Measurement(f"after each of {PATCHES} patches / the last alone", f"{took[1] / took[0]:.2f}", "<= 1.3", sides)


def warm(folder: Path) -> Iterator[Measurement]:
    """The built-in profile with the kernel's own selftests, and whole, when nothing changed; and the first of these
    when one `.c` file of the series did."""
    timed("check", "--out", str(folder / "warm"))
    whole = timed("check", "--out", str(folder / "warm"))
    yield Measurement("nothing changed: every suite", f"{whole:.1f} s", "<= 30 s", "two architectures, five ABIs")
    unchanged = timed("check", *SELFTESTS, "--out", str(folder / "warm"))
    yield Measurement(
        "nothing changed: the kernel's selftests", f"{unchanged:.1f} s", "<= 30 s", "two architectures, five ABIs"
    )
    series = folder / "changed"
    shutil.copytree(subject().series_folder, series)
    _touch(series)
    changed = timed("check", *SELFTESTS, "--series", str(series), "--out", str(folder / "warm"))
    yield Measurement("one .c file changed: the same", f"{changed:.1f} s", "<= 20 s", subject().source)


def _touch(series: Path) -> None:
    """Changes the code that a patch of the series adds to one file, and nothing else, differently each time."""
    change = subject().change
    patch = next((path for path in sorted(series.glob("0*.patch")) if change.old in path.read_text("utf-8")), None)
    if patch is None:
        sys.exit(f"{series}: no patch has the line that this measurement changes")
    odd = (int(time.time()) | 1 << 31) - (1 << 32)
    text = patch.read_text(encoding="utf-8")
    patch.write_text(text.replace(change.old, change.new.format(odd=odd)), encoding="utf-8")


def boots(folder: Path) -> Iterator[Measurement]:
    """Boot to the end marker with nothing to do, beside bare QEMU, turn and turn about."""
    for name in ("x86_64", "aarch64"):
        arch = load_arch(name)
        request = empty_request(arch, built("--series", "none", "--arch", name), folder / name)
        pairs = [(rig_boot(request), bare_boot(request)) for _ in range(BOOTS)]
        rig, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        yield Measurement(f"{name}: empty guest / bare QEMU", f"{ratio:.2f}", "<= 1.25", f"{rig:.2f} s / {bare:.2f} s")


def virtme(folder: Path) -> Iterator[Measurement]:
    """The empty guest, a copy of a saved one and one that boots, beside virtme-ng that runs `true`, x86_64 under TCG,
    turn and turn about: as its users have it, and on a kernel that is nearly as small as the rig's."""
    arch, tool = load_arch("x86_64"), install(folder / "venv")
    images = own_kernel(tool, folder), lean_kernel(folder)
    booted = empty_request(arch, built("--series", "none", "--arch", "x86_64"), folder / "guest")
    copied = copy_of(booted, folder)
    rounds = [
        (rig_boot(copied), rig_boot(booted), *(virtme_boot(tool, image) for image in images)) for _ in range(BOOTS)
    ]
    copy, boot, *others = (statistics.median(side) for side in zip(*rounds, strict=True))
    rows = ("x86_64: virtme-ng / empty guest, a copy", ">= 40"), ("the same on a lean kernel", "none")
    for place, ((name, goal), other) in enumerate(zip(rows, others, strict=True), start=2):
        by_copy, by_boot = (statistics.median(times[place] / times[own] for times in rounds) for own in (0, 1))
        sides = f"{other:.2f} s / {copy:.2f} s; by one that boots ({boot:.2f} s) {by_boot:.1f}"
        yield Measurement(name, f"{by_copy:.1f}", goal, sides)


def start(folder: Path) -> Iterator[Measurement]:
    """How long a short command takes to answer, and the processor time of it, which a busy machine changes less; now
    and in the state of BEFORE, turn and turn about."""
    before = _unpacked(BEFORE, folder / "before")
    _install(before)
    for name, command, extra in STARTS:
        trees = (ROOT,) if extra else (ROOT, before)
        rounds = [[_answered(tree, command, extra) for tree in trees] for _ in range(STARTED)]
        now, *then = (tuple(map(statistics.median, zip(*side, strict=True))) for side in zip(*rounds, strict=True))
        sides = "".join(f"; {BEFORE}: {wall:.2f} s, {processor:.2f} s" for wall, processor in then)
        text = f"processor {now[1]:.2f} s{sides or f'; {BEFORE} has none'}"
        yield Measurement(f"start: {name}", f"{now[0]:.2f} s", "<= 0.3 s", text)


def _unpacked(commit: str, folder: Path) -> Path:
    """The files of a commit of the rig. A git worktree would leave an entry behind when the run is ended."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _install(tree: Path) -> None:
    """The Python packages that this state of the rig asks for, some of which today's does not."""
    subprocess.run([sys.executable, "-m", "venv", str(tree / ".venv")], check=True)
    pip = [str(tree / ".venv/bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "--only-binary", ":all:", "-r", str(tree / "requirements.lock")], check=True)


def _answered(tree: Path, command: tuple[str, ...], extra: dict[str, str]) -> tuple[float, float]:
    """Wall and processor seconds of one call; `doctor` may find something."""
    begun, used = time.monotonic(), children_seconds()
    line = [str(tree / "rig.py"), *command]
    done = subprocess.run(line, env=os.environ | extra, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3) or "Traceback" in done.stderr:
        sys.exit(f"{' '.join(line)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.monotonic() - begun, children_seconds() - used


def bisect(folder: Path) -> Iterator[Measurement]:
    """64 commits by `rig.py bisect` and by `git bisect` with make and QEMU; both have built the good end before."""
    for name, both in duels(folder):
        ratio = f"{both.plain / both.rig:.1f}" if both.agreed else "WRONG"
        sides = f"{both.plain:.0f} s, {both.steps} steps / {both.rig:.0f} s, {both.builds} builds, {both.boots} boots"
        yield Measurement(f"by hand / bisect, {name}", ratio, ">= 3", sides)


def shards(folder: Path) -> Iterator[Measurement]:
    """The default profile of one ABI in four parts, on this machine alone."""
    found = in_parts.measure(folder, jobs=4)
    sides = f"processor {found.in_parts:.0f} s in {found.count} parts / {found.at_once:.0f} s at once"
    yield Measurement("a run in parts, what it costs more", f"{found.overhead:.0f} %", "<= 15 %", sides)


PARTS = {
    "start": start,
    "cold": cold,
    "each": each,
    "warm": warm,
    "boots": boots,
    "virtme": virtme,
    "bisect": bisect,
    "shards": shards,
}
PARTS |= guest_figures.PARTS | brought("figures", "PARTS")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def main(parts: tuple[str, ...]) -> None:
    """Measures all PARTS, or those named, and prints a table."""
    for part in parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="rig-bench-") as folder:
            for figure in PARTS[part](Path(folder)):
                click.echo(str(figure))


if __name__ == "__main__":
    main()
