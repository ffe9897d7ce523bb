# SPDX-License-Identifier: GPL-2.0-or-later
"""Code quality for GitLab: what was found at a line of a file, as its page "Code Quality" asks for it.

A JSON array without a byte order mark. Findings with equal fingerprints are one, and GitLab compares those of source
and target branch: so the line's number is no part of a fingerprint, and a second finding of one kind is counted.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ci.model.results import Run
from configs.names import CHECKPATCH

_SEVERITY = {"error": "critical", "warning": "major", "note": "info", "check": "minor"}
_CHECKPATCH = re.compile(
    r"(?P<path>[^:]+):(?P<line>\d+): (?P<level>ERROR|WARNING|CHECK):(?P<kind>\w+): "
    r"(?P<text>.*?)(?: \(line \d+ of the patch\))?"
)
"""A line of the output of a test of suite `checkpatch` (`kernels.patches.checkpatch`), where it has a place."""


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """One finding at a place; `level` is error, warning, check or note."""

    tool: str
    kind: str
    path: str
    line: int
    level: str
    text: str


def issues(run: Run) -> list[QualityFinding]:
    """What the judged variant's kernels and patches have and a file and a line, each once: several architectures give
    the same warning."""
    found = (*_warnings(run), *_findings(run), *_checkpatch(run))
    return list(dict.fromkeys(item for item in found if item.path and not item.path.startswith(("/", "../"))))


def render(run: Run) -> str:
    """The JSON file."""
    seen: Counter[tuple[str, ...]] = Counter()
    entries = []
    for item in issues(run):
        name = (item.tool, item.kind, item.path, item.text)
        seen[name] += 1
        fingerprint = hashlib.sha256("\0".join((*name, str(seen[name]))).encode()).hexdigest()
        entries.append(
            {
                "description": f"{item.tool}: {item.text}",
                "check_name": f"{item.tool}/{item.kind}" if item.kind else item.tool,
                "fingerprint": fingerprint,
                "severity": _SEVERITY[item.level],
                "location": {"path": item.path, "lines": {"begin": max(1, item.line)}},
            }
        )
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def _warnings(run: Run) -> Iterator[QualityFinding]:
    """The compiler's. Those of base are in the report of the target branch."""
    for build in run.builds:
        if build.variant == run.judged.name:
            for item in build.warnings:
                yield QualityFinding("compiler", item.option, item.file, item.line, "warning", item.text)


def _findings(run: Run) -> Iterator[QualityFinding]:
    for item in run.findings:
        yield QualityFinding(item.check, item.kind, item.path, item.line, item.level, item.text)


def _checkpatch(run: Run) -> Iterator[QualityFinding]:
    for cell in run.cells:
        if cell.cell.suite != CHECKPATCH or cell.cell.variant != run.judged.name:
            continue
        for match in (_CHECKPATCH.fullmatch(line) for test in cell.tests for line in test.output.splitlines()):
            if match:
                level = match["level"].lower()
                yield QualityFinding(CHECKPATCH, match["kind"], match["path"], int(match["line"]), level, match["text"])
