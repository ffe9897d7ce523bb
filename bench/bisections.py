# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisections at full size: simulated ones for every failure rate, and real ones of 64 commits with a culprit each."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.histories import CASES, Case, make
from tests.ci.bisect.coins import wrong_answers
from util.paths import ROOT, cache

RATES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.95)
EACH = 50
CONFIDENCE = 0.99
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


def real() -> Iterator[Row]:
    """Each case of `bench.histories`, from nothing known about it."""
    for case in CASES:
        folder = cache("bench", "bisections") / case.name
        shutil.rmtree(folder, ignore_errors=True)
        yield _bisected(case, folder)


def _bisected(case: Case, folder: Path) -> Row:
    made = make(case, folder / "linux")
    command = [
        str(ROOT / "rig.py"), "bisect", "--quiet", "--fresh", "--source", str(made.folder), "--good", made.commits[0],
        "--bad", "main", *case.options, *case.question, "--out", str(folder / "out"),
    ]  # fmt: skip
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    answer = json.loads((folder / "out" / "bisect.json").read_text(encoding="utf-8")) if run.returncode != 2 else {}
    found, cost = (answer.get("culprit") or {}).get("commit", ""), answer.get("cost", {})
    right = run.returncode == 0 and found == made.culprit
    figures = f"{cost.get('builds')} builds, {cost.get('boots')} boots, {cost.get('seconds')} s"
    mark = "right" if right else f"WRONG (exit {run.returncode}, {found[:12] or 'nothing'})"
    return right, f"bisect {case.name}: {mark}; {figures}, confidence {answer.get('confidence', 0):.4f}"
