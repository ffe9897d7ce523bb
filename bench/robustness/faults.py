# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults by the hundred, from a seed: `python -m bench.campaign faults --seed 1 --share 0.1`.

Kills over download, import, build, boot and report; mutated YAML files; full disks under cache, temporary folder,
output folder and a build; damaged files of the cache. What must never come of any of them is counted: a traceback, a
process that is left over, a pass that nobody earned or a failure that is none, and damage that goes unnoticed.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from bench.robustness.marked_run import Ended, left_over, signalled
from ci.verdict.known import load_known
from configs.loader import load
from configs.model import Profile
from tests.command import USER, own_cache
from util.errors import UserError
from util.paths import CONFIGS, ROOT, cache_root

KILLS, FILES, DISKS, DAMAGES = 100, 1000, 24, 60
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
BOOT = ("check", "--series", "none", "--arch", "x86_64", "--abi", "x86_64", "--suite", "boot", "--quiet")
LISTING = (*BOOT, "--dry-run")


@dataclass
class FaultTally:
    """What was done, and what must not be: one line for each."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def blame(self, kind: str, what: str) -> None:
        self.wrong.append(f"{kind}: {what}")

    def lines(self) -> Iterator[str]:
        yield from (f"{count:6} {name}" for name, count in sorted(self.done.items()))
        for kind in ("traceback", "leftover", "wrong verdict", "unnoticed"):
            yield f"{sum(line.startswith(kind) for line in self.wrong):6} {kind}s".replace("unnoticeds", "unnoticed")
        yield from self.wrong


def run_faults(seed: int, share: float) -> FaultTally:
    """All four parts, each with `share` of its full count."""
    tally, chance = FaultTally(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="rig-faults-") as name:
        folder = Path(name)
        for part, count in ((_yaml, FILES), (_disks, DISKS), (_damages, DAMAGES), (_kills, KILLS)):
            place = folder / part.__name__
            place.mkdir()
            part(place, max(1, round(count * share)), chance, tally)
    return tally


# programs ------------------------------------------------------------------------------------------------------------


def _rig(arguments: tuple[str, ...], environment: Mapping[str, str] = USER, **when: float) -> Ended:
    return signalled((str(ROOT / "rig.py"), *arguments), environment, **when)


def _lab(root: Path, *config: str, environment: Mapping[str, str] = USER, **when: float) -> Ended:
    # Python's own start would answer with a traceback.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    build = (sys.executable, "-m", "bench.robustness.small_build", str(root), *config)
    try:
        return signalled(build, environment, **when)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _claims_pass(folder: Path) -> bool:
    """Whether a gate that reads only one of the two files would take this for a pass."""
    gate, results = folder / "junit.xml", folder / "results.json"
    try:
        good = gate.exists() and not [*ElementTree.parse(gate).iter("error"), *ElementTree.parse(gate).iter("failure")]
    except ElementTree.ParseError:
        good = False
    return good or (results.exists() and '"verdict": "pass"' in results.read_text(encoding="utf-8", errors="replace"))


def _judge(tally: FaultTally, what: str, ended: Ended, out: Path | None = None) -> None:
    """A run that nothing was wrong with but the machine: it passes, or it says that it cannot say."""
    if ended.traceback:
        tally.blame("traceback", f"{what}: {ended.said[-800:]}")
    if left := left_over(ended.mark):
        tally.blame("leftover", f"{what}: {left}")
    if ended.status == 1:
        tally.blame("wrong verdict", f"{what}: exit 1: {ended.said[-300:]}")
    if out is not None and ended.status != 0 and _claims_pass(out):
        tally.blame("wrong verdict", f"{what}: exit {ended.status} beside a pass")


# the parts -----------------------------------------------------------------------------------------------------------

_WORDS = (
    b"&a ", b"*a", b"[", b"]", b"{", b"}", b": ", b"\n", b"\n  ", b"- ", b"\t", b"'", b'"', b"|\n", b">", b"!!bool ",
    b"!!timestamp ", b"!!int ", b"!!binary ", b"2026-02-30", b".inf", b"<<: ", b"? ", b"\x00", b"\xff", b"9" * 5000,
    b"[" * 200, b"{a: " * 100, b"\xe2\x80\xa8", b"%YAML 1.1\n", b"---\n", b"null", b"~", b"-1", b"1e99",
)  # fmt: skip


def _yaml(folder: Path, count: int, chance: random.Random, tally: FaultTally) -> None:
    """Mutated profiles and known issues: loaded, or refused in one line, within seconds."""
    known = b"issues:\n  - {test: a, reason: b, link: https://example.org/1, expires: 2027-01-01, flaky: true}\n"
    seeds = [*((path.read_bytes(), False) for path in sorted((CONFIGS / "profiles").glob("*.yaml"))), (known, True)]
    for number in range(count):
        content, issues = chance.choice(seeds)
        path = folder / f"{number}.yaml"
        path.write_bytes(_mutated(content, chance))
        begun = time.monotonic()
        try:
            load_known(path) if issues else load(path, Profile)
            tally.done["YAML files loaded"] += 1
        except UserError as error:
            tally.done["YAML files refused in a line"] += 1
            if not str(error).isprintable():
                tally.blame("traceback", f"{path.name}: not one printable line: {str(error)!r}")
        except Exception as error:
            tally.blame("traceback", f"{path.name}: {type(error).__name__}: {error}; {path.read_bytes()[:300]!r}")
        if time.monotonic() - begun > 10:
            tally.blame("traceback", f"{path.name}: took {time.monotonic() - begun:.0f} s")


def _mutated(content: bytes, chance: random.Random) -> bytes:
    made = bytearray(content)
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(made) + 1)
        end = place + chance.choice((0, 0, 1, 3, 20))
        made[place:end] = chance.choice((*_WORDS, chance.randbytes(2), bytes(made[place : place + 40])))
    return bytes(made)


def _disks(folder: Path, count: int, chance: random.Random, tally: FaultTally) -> None:
    """A small file system under one folder at a time; without the right to mount one, small files only."""
    for number in range(count):
        place = ("cache", "temporary", "out", "build")[number % 4]
        small = folder / f"{number}"
        out = folder / f"{number}-out"
        with _small_disk(small, chance.choice((64, 256, 1024, 4096))):
            if place == "build":
                ended = _lab(small)
            elif place == "temporary":
                ended = _lab(folder / f"{number}-lab", environment={**USER, "TMPDIR": str(small)})
            elif place == "cache":
                ended = _rig((*LISTING, "--source", str(ROOT / "tests" / "fakekernel")), own_cache(small))
            else:
                out = small / "out"
                ended = _rig((*BOOT, "--out", str(out)))
            _judge(tally, f"full disk {number} under {place}", ended, out)
        tally.done[f"full disks under {place}"] += 1


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _damages(folder: Path, count: int, chance: random.Random, tally: FaultTally) -> None:
    """One file of the cache loses a bit or its end; the next run notices, and its answer is the right one."""
    lab = folder / "lab"
    first = _lab(lab)
    build = Path(first.said.split()[0])
    for number in range(count):
        if number % 3:
            path = build / chance.choice(
                ("image", "vmlinux", "System.map", "config", "log", "manifest.json", "digests.json")
            )
            _damage(path, chance)
            ended = _lab(lab)
            noticed = "made" in ended.said and "is damaged" in ended.said
            _judge(tally, f"damaged {path.name}", ended)
        else:
            noticed, path = _damage_real(folder / f"cache-{number}", chance, tally)
        tally.done[f"damaged files of the cache: {path.suffix or path.name}"] += 1
        if not noticed:
            tally.blame("unnoticed", f"{path}")


def _damage_real(folder: Path, chance: random.Random, tally: FaultTally) -> tuple[bool, Path]:
    """A cache that shares sources and kernels with the user's and has the rest for itself; a file of it that a boot
    reads is damaged. Whether the run said so."""
    root = folder / cache_root().name
    root.mkdir(parents=True)
    for part in cache_root().iterdir():
        if part.name in ("git", "kernels"):
            (root / part.name).symlink_to(part)
        elif part.name in ("cells", "initramfs", "accel"):
            with suppress(shutil.Error):  # other runs use it meanwhile: what goes away under the copy is not needed
                shutil.copytree(part, root / part.name, symlinks=True)
    environment = {**USER, "XDG_CACHE_HOME": str(folder)}
    try:
        before = _rig((*BOOT, "--out", str(folder / "before")), environment)
        if before.status:
            return True, Path("cache that gives no pass")
        known = time.time()  # a second run from this cache: what it uses gets a new age
        _rig((*BOOT, "--out", str(folder / "before")), environment)
        globs = ("cells/*/*.json", "cells/*/*.log", "initramfs/images/*.cpio", "initramfs/programs/*/init")
        used = [path for glob in globs for path in root.glob(glob) if _last_use(path) >= known]
        if not used:
            return True, Path("nothing")
        path = chance.choice(used)
        _damage(path, chance)
        ended = _rig((*BOOT[:-1], "--out", str(folder / "out")), environment)
        _judge(tally, f"damaged {path.relative_to(root)}", ended, folder / "out")
        return "is damaged" in ended.said, path
    finally:
        shutil.rmtree(folder)


def _last_use(path: Path) -> float:
    return max(path.stat().st_mtime, path.parent.stat().st_mtime)


def _damage(path: Path, chance: random.Random) -> None:
    """Another content of the same age in a file of its own: the original may have other links."""
    content = bytearray(path.read_bytes())
    if chance.random() < 0.7:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    else:
        del content[chance.randrange(len(content)) :]
    times = path.stat()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _kills(folder: Path, count: int, chance: random.Random, tally: FaultTally) -> None:
    """A signal at a random moment of download and import, of a build, and of boot and report."""
    stages: dict[str, Callable[[int, float, signal.Signals], Ended]] = {
        "download and import": lambda _, after, sign: _rig(
            LISTING, own_cache(folder / "own"), after=after, number=sign
        ),
        "build": lambda _, after, sign: _lab(folder / "lab", "CONFIG_SLOW=y", after=after, number=sign),
        "boot and report": lambda number, after, sign: _rig(
            (*BOOT, "--fresh", "--out", str(folder / f"{number}")), after=after, number=sign
        ),
    }
    before = set(Path("/dev/shm").iterdir())
    for number in range(count):
        stage = list(stages)[number % 3]
        sign, after = chance.choice(SIGNALS), chance.uniform(0.3, 12.0)
        ended = stages[stage](number, after, sign)
        _judge(tally, f"{sign.name} after {after:.1f} s of {stage}", ended, folder / f"{number}")
        tally.done[f"kills during {stage}"] += 1
    if count >= len(stages):
        _judge_the_next(folder, tally)
    if more := set(Path("/dev/shm").iterdir()) - before:
        tally.blame("leftover", f"/dev/shm: {sorted(map(str, more))}")


def _judge_the_next(folder: Path, tally: FaultTally) -> None:
    """After all the kills a whole run of each stage is right, and nothing unfinished is left."""
    whole = _rig((*BOOT, "--fresh", "--out", str(folder / "whole")))
    built = _lab(folder / "lab", "CONFIG_SLOW=y")
    for what, ended in (("boot", whole), ("build", built)):
        _judge(tally, f"the {what} after the kills", ended, folder / "whole" if what == "boot" else None)
        if ended.status:
            tally.blame("wrong verdict", f"the {what} after the kills: exit {ended.status}: {ended.said[-300:]}")
    if left := [str(path) for path in (folder / "lab" / "builds" / "work").iterdir()]:
        tally.blame("leftover", f"unfinished builds: {left}")
