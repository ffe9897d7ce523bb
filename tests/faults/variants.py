# SPDX-License-Identifier: GPL-2.0-or-later
"""Faulty variants of our own series: what each must come to, and the whole series that the rig is given for it."""

import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from configs.loader import load
from configs.model import Strict
from util.paths import ROOT

FOLDER = ROOT / "tests" / "series" / "seccomp-faults"
COSTS = ROOT / "tests" / "series" / "costs"
"""Variants that decide rightly and cost too much."""
SERIES = ROOT / "kernels" / "series" / "seccomp-cache"
_SUBJECT = re.compile(r"^Subject: \[PATCH[^]]*\]", re.MULTILINE)


class Variant(Strict):
    """One entry of `faults.yaml`, which says what the fields mean."""

    effect: Literal["visible", "equivalent"]
    checks: tuple[str, ...] = ()
    suite: str
    abi: str = "x86_64"
    flavour: str = "plain"
    why: str = ""

    @model_validator(mode="after")
    def _whole(self) -> "Variant":
        if (self.effect == "visible") != bool(self.checks) or (self.effect == "equivalent") != bool(self.why):
            raise ValueError("a visible fault needs checks, an equivalent one why it is")
        return self


class _Variants(Strict):
    faults: dict[str, Variant]


@cache
def variants() -> dict[str, Variant]:
    """All of them by name."""
    return load(FOLDER / "faults.yaml", _Variants).faults


def compose(fault: Path, folder: Path) -> Path:
    """Writes our series with the patch in the folder `fault` as its last one into `folder`, ready for `--series`."""
    patches = [*sorted(SERIES.glob("000[1-9]-*.patch")), *sorted(fault.glob("*.patch"))]
    folder.mkdir(parents=True)
    for number, path in enumerate(patches, 1):
        subject = f"Subject: [PATCH v1 {number}/{len(patches)}]"
        text = _SUBJECT.sub(subject, path.read_text(encoding="utf-8"), count=1)
        (folder / f"{number:04}-{path.name[5:]}").write_text(text, encoding="utf-8")
    return folder
