# SPDX-License-Identifier: GPL-2.0-or-later
"""A bisection by hand: `git bisect`, a plain `make`, and a script that boots QEMU and reads the console.

It believes both ends, believes each answer after one boot, and proves nothing: the measure for `rig.py bisect`.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.bisect.bisections import bisect
from bench.bisect.histories import BOOTED, BisectCase, CommitEdit, HistoryRepo, make, warns_under
from bench.guests.boots import bare_init, built, empty_request
from bench.plain_build import plain_build
from configs.loader import load_arch
from guests.qemu.machine import hand_command
from guests.run.request import GuestRequest, spec_of

SPLAT = "WARNING: "
QUESTION = ("--splat", "WARNING*")
_ID = "static inline struct inode *file_inode(const struct file *f)\n{\n"
SOURCE_FILE = BisectCase("source-file", 30, warns_under(), QUESTION, BOOTED)


def header(number: int) -> BisectCase:
    """The same question where the culprit has nearly every file compiled. Another number is another text of the header:
    the rig keeps the objects that an earlier measurement compiled with this one."""
    text = f"{_ID}\tWARN_ON_ONCE(f->f_inode && {number});\n"
    return BisectCase("header", 30, CommitEdit(None, "include/linux/fs.h", _ID, text), QUESTION, BOOTED)


@dataclass(frozen=True, slots=True)
class Duel:
    """Seconds of both ways over one history, and whether both named its culprit."""

    rig: float
    plain: float
    builds: int
    boots: int
    steps: int
    agreed: bool


def duel(case: BisectCase, folder: Path) -> Duel:
    """Bisects the 64 commits of a case with `rig.py bisect`, whose cache holds the kernel of the good end and no other
    of them, and then by hand, from a checkout of the good end that is built. Raises RuntimeError."""
    made = make(case, folder / "linux")
    build = built("--series", "none", "--arch", "x86_64")
    words = ("--source", str(made.folder), "--good", made.commits[0], "--bad", "main", *case.options, *case.question)
    start = time.monotonic()
    status, answer = bisect(words, folder / "out")
    rig = time.monotonic() - start
    found = (answer.get("culprit") or {}).get("commit", "")
    request = empty_request(load_arch("x86_64"), build, folder / "guest")
    plain, steps, other = by_hand(made, request, folder / "plain")
    cost, agreed = answer["cost"], status == 0 and found == other == made.culprit
    return Duel(rig, plain, cost["builds"], cost["boots"], steps, agreed)


def by_hand(made: HistoryRepo, request: GuestRequest, folder: Path) -> tuple[float, int, str]:
    """Seconds, steps and the commit that `git bisect` ends with. The build of the good end is not counted: the rig has
    it in its cache."""
    source, output = folder / "src", folder / "out"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(made.folder), str(source)], check=True)
    _git(source, "checkout", "--quiet", made.commits[0])
    config = (request.kernel.parent / "config").read_bytes()
    plain_build(source, output, config, request.arch)
    start, steps = time.monotonic(), 0
    said = _git(source, "bisect", "start", made.commits[-1], made.commits[0])
    while "is the first bad commit" not in said:
        plain_build(source, output, config, request.arch)
        said = _git(source, "bisect", "bad" if _warns(request, output, folder) else "good")
        steps += 1
    return time.monotonic() - start, steps, said.split()[0]


def _warns(request: GuestRequest, output: Path, folder: Path) -> bool:
    """Whether the kernel's console shows a warning when it boots to an init that powers off. Raises RuntimeError."""
    kernel = output / request.arch.outputs[request.kernel.name]
    with tempfile.NamedTemporaryFile(suffix=".cpio", dir=folder) as initrd:
        initrd.write(bare_init(request.arch))
        initrd.flush()
        command = hand_command(spec_of(replace(request, kernel=kernel), initrd.name), Path("/dev/null"))
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                             check=True, timeout=120)  # fmt: skip
    if "Linux version" not in run.stdout:
        raise RuntimeError(f"the kernel by hand printed nothing: {run.stderr[-500:]}")
    return SPLAT in run.stdout


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout


def duels(folder: Path) -> Iterator[tuple[str, Duel]]:
    """The culprit in a source file, and the one in a header."""
    for case in (SOURCE_FILE, header(int(time.time()))):
        yield case.name, duel(case, folder / case.name)
        shutil.rmtree(folder / case.name)
