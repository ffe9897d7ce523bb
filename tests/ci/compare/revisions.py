# SPDX-License-Identifier: GPL-2.0-or-later
"""Four revisions of our own series as mailboxes: the third has a fault in its fourth patch, the last mends it."""

import re
from pathlib import Path

from util.paths import ROOT

SERIES = ROOT / "kernels" / "series" / "seccomp-cache"
GOOD, FAULT = "+\t\t\tholds = a >= k;", "+\t\t\tholds = a > k;"


def four_revisions(folder: Path) -> list[str]:
    """`v1.mbox` to `v4.mbox`. The second and the last differ from the first in what they say only; the third takes the
    comparison JGE for JGT."""
    mails = [path.read_text(encoding="utf-8") for path in sorted(SERIES.glob("0*.patch"))]
    said = "Set the bits that the fast path asks for."
    found = []
    for version in (1, 2, 3, 4):
        own = [re.sub(r"\[PATCH v1 ", f"[PATCH v{version} ", mail) for mail in mails]
        assert said in own[4]
        assert own[4].count(GOOD) == 1
        if version > 1:
            own[4] = own[4].replace(said, f"{said} This is revision {version}.")
        if version == 3:
            own[4] = own[4].replace(GOOD, FAULT)
        path = folder / f"v{version}.mbox"
        path.write_text("".join(own), encoding="utf-8")
        found.append(str(path))
    return found
