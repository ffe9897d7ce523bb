# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisections at full size: simulated ones for every failure rate, and real ones of 64 commits with a culprit each."""

import json
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.bisect.histories import CASES, LEAVES, PAIR, TOGETHER, BisectCase, make
from bench.robustness.marked_run import left_over, signalled
from bench.subject import subject
from configs.loader import as_yaml, load_profile
from tests.ci.bisect.coins import wrong_answers
from tests.command import USER
from util.paths import ROOT, cache

RATES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.95)
EACH = 50
CONFIDENCE = 0.99
FOUND, ALIKE = 0, 1
KILLS, MOMENTS = 10, (6.0, 20.0)
"""How often it is killed, and between how many seconds: the first time not before it is known what was asked."""
Row = tuple[bool, str]
"""Whether it came out as it must, and a line that says how."""


def simulated() -> Iterator[Row]:
    """Bisections with coins for kernels: of all answers at most 1 - confidence are wrong, and one of EACH of a rate."""
    counts = {rate: wrong_answers(Path(tempfile.gettempdir()), [rate], EACH) for rate in RATES}
    for rate, (total, wrong, unanswered) in counts.items():
        yield wrong <= 1, f"simulated, rate {rate:4}: {wrong} of {total} answers wrong, {unanswered} without answer"
    total, wrong = (sum(row[place] for row in counts.values()) for place in (0, 1))
    share = wrong / total
    yield (
        share <= 1 - CONFIDENCE,
        f"simulated: {100 * share:.2f} % of {total} answers wrong, at most {1 - CONFIDENCE:.0%}",
    )


def real(names: Sequence[str] = ("*",)) -> Iterator[Row]:
    """Each case of `bench.bisect.histories` whose name fits one of the globs, from nothing known about it."""
    ways = {**dict.fromkeys(CASES, _bisected), PAIR: _compared}
    for case, way in ways.items():
        if any(fnmatchcase(case.name, glob) for glob in names):
            folder = cache("bench", "bisections") / case.name
            shutil.rmtree(folder, ignore_errors=True)
            yield way(case, folder)


def _bisected(case: BisectCase, folder: Path) -> Row:
    """The commit is found; and where the fault needs an option, both ends are alike without it."""
    made = make(case, folder / "linux")
    ends = ("--source", str(made.folder), "--good", made.commits[0], "--bad", "main")
    words: tuple[str, ...] = (*ends, *case.options, *case.question)
    if case.config:
        status, _ = bisect((*words, "--rate", "1"), folder / "without")
        if status != ALIKE:
            return False, f"bisect {case.name}: WRONG, without the option exit {status} and not {ALIKE}"
        words = (*words, "--profile", str(_profile(folder / "option.yaml", case.config)))
    status, answer = bisect(words, folder / "out")
    found = (answer.get("culprit") or {}).get("commit", "")
    return _row(case, status, answer, found == made.culprit, found[:12])


def _compared(case: BisectCase, folder: Path) -> Row:
    """The options are found that must be together."""
    made = make(case, folder / "linux")
    configs = {"good": folder / "good.config", "bad": folder / "bad.config"}
    for name, path in configs.items():
        path.write_text("".join(f"{option}={'y' if name == 'bad' else 'n'}\n" for option in LEAVES), encoding="utf-8")
    sides = ("--good-config", str(configs["good"]), "--bad-config", str(configs["bad"]))
    words = ("--source", f"git:{made.folder}@{made.culprit}", *sides, *case.options, *case.question)
    status, answer = bisect(words, folder / "out")
    found = sorted((answer.get("culprit") or {}).get("options", []))
    return _row(case, status, answer, found == sorted(f"{option}=y" for option in TOGETHER), " ".join(found))


def _profile(path: Path, config: Sequence[str]) -> Path:
    """The profile that a bisection takes by itself, with further lines of configuration."""
    profile = load_profile(subject().profile)
    further = profile.model_copy(update={"config": (*profile.config, *config)})
    path.write_text(as_yaml(further.model_dump(mode="json")), encoding="utf-8")
    return path


def bisect(words: Sequence[str], out: Path) -> tuple[int, dict[str, Any]]:
    """The exit status and bisect.json of one `rig.py bisect` to which nothing is known yet."""
    command = [str(ROOT / "rig.py"), "bisect", "--quiet", "--fresh", *words, "--out", str(out)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    path = out / "bisect.json"
    return run.returncode, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _row(case: BisectCase, status: int, answer: Mapping[str, Any], right: bool, found: str) -> Row:
    cost, good = answer.get("cost", {}), right and status == FOUND
    figures = f"{cost.get('builds')} builds, {cost.get('boots')} boots, {cost.get('seconds')} s"
    mark = "right" if good else f"WRONG (exit {status}, {found or 'nothing'})"
    return good, f"bisect {case.name}: {mark}; {figures}, confidence {answer.get('confidence', 0):.4f}"


def killed(seed: int = 1) -> Iterator[Row]:
    """One bisection that gets SIGKILL at KILLS random moments and goes on each time; and nothing is left behind."""
    case, chance = CASES[0], random.Random(seed)
    folder = cache("bench", "bisections") / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    made = make(case, folder / "linux")
    ends = ("--source", str(made.folder), "--good", made.commits[0], "--bad", "main")
    rig = (str(ROOT / "rig.py"), "bisect")
    command = (*rig, "--fresh", *ends, *case.options, *case.question, "--out", str(folder / "out"))
    left, kills = [], 0
    while True:
        number = signal.SIGKILL if kills < KILLS else 0
        ended = signalled(command, USER, after=chance.uniform(*MOMENTS), number=number)
        left += left_over(ended.mark)
        if ended.status != -signal.SIGKILL:
            break
        kills, command = kills + 1, (*rig, "--resume")
    path = folder / "out" / "bisect.json"
    answer = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    right = kills == KILLS and not left and not ended.traceback
    right = right and (answer.get("culprit") or {}).get("commit", "") == made.culprit
    yield _row(replace(case, name=f"killed {kills} times"), ended.status, answer, right, "; ".join([*left, ended.said]))
