# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m ci.report.schema` writes docs/results.schema.json anew."""

import json
from pathlib import Path

from ci.report.formats.json_report import schema
from util.paths import ROOT

PATH = ROOT / "docs" / "results.schema.json"


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main(path: Path = PATH) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
