# SPDX-License-Identifier: GPL-2.0-or-later
"""The note under a merge request: one for each name, which later runs change instead of adding another."""

import os
import re

from ci.gitlab.server import Server
from ci.model.results import Run
from ci.model.verdicts import Comparison, Effect, RunVerdict
from util.errors import UserError
from util.text import one_line, plain

_SHOWN = 20
"""Findings that a note lists; the reports hold all."""
_LONGEST = 160
_WORDS = {RunVerdict.PASS: "pass", RunVerdict.FAIL: "FAIL", RunVerdict.UNKNOWN: "unknown"}


def mark(name: str) -> str:
    """The line by which a note is found again; a reader does not see it."""
    return f"<!-- kernel-patch-rig {name} -->"


def render(run: Run, name: str, link: str = "") -> str:
    """The note as Markdown. `link` leads to the report; the environment's, where it is empty."""
    lines = [mark(name), f"**{_WORDS[run.verdict]}**: {quoted(run.summary)}", ""]
    if run.series:
        count = len(run.series.patches)
        patches = f"{count} patch{'es' * (count != 1)}"
        lines += [f"{patches} on {quoted(run.source.title)}, profile {quoted(run.profile)}", ""]
        told = run.series.warnings
        lines += [f"* {quoted(text)}" for text in told[:_SHOWN]] + ([""] if told else [])
    bad = [item for item in run.comparisons if item.effect is not Effect.NONE]
    if bad:
        lines += ["| verdict | where | test | why |", "|---|---|---|---|", *map(_row, bad[:_SHOWN])]
        lines += [f"| | | | and {len(bad) - _SHOWN} more |"] if len(bad) > _SHOWN else []
        lines.append("")
    where = link or os.environ.get("CI_JOB_URL", "")
    lines += [f"[Report]({where})" if where.startswith("https://") and ")" not in where else "", ""]
    return "\n".join(lines).rstrip() + "\n"


def refusal(reason: str, name: str) -> str:
    """The note of a run that could not begin."""
    return f"{mark(name)}\n**FAIL**: nothing was tested: {quoted(reason)}\n"


def _row(item: Comparison) -> str:
    cell = item.cell
    where = " ".join(part for part in (cell.arch, cell.abi, cell.flavour, cell.suite) if part not in ("", "-"))
    word = item.verdict.value if item.verdict else item.effect.value
    cells = (word, where, *(quoted(text).replace("|", r"\|") for text in (item.test, item.message)))
    return f"| {' | '.join(cells)} |"


def quoted(text: str) -> str:
    """One line of somebody else's text as code: a mention, a label, a quick action, a picture or a table's bar from a
    kernel's log must not come to life, and GitLab leaves alone what is code."""
    line = one_line(plain(text)).replace("`", "'") or " "
    short = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
    return f"`{short}`"


def post(text: str, server: Server, request: str = "") -> str:
    """Changes the note of this name under the merge request, or writes it; says which. `request` is the number of the
    merge request, by default this job's. Raises UserError and MachineError."""
    number = request or os.environ.get("CI_MERGE_REQUEST_IID", "")
    if not number.isdecimal():
        raise UserError("which merge request: give its number by --merge-request, or run in a pipeline of one")
    first = text.partition("\n")[0]
    if not re.fullmatch(r"<!-- kernel-patch-rig .+ -->", first):
        raise UserError("the note does not begin with the line by which it is found again; write it by `gitlab report`")
    path = f"merge_requests/{number}/notes"
    for note in server.listed(path):
        if not note.get("system") and str(note.get("body", "")).startswith(first):
            server.send("PUT", f"{path}/{note['id']}", {"body": text})
            return f"changed note {note['id']} of merge request {number}"
    made = server.send("POST", path, {"body": text})
    return f"wrote note {made.get('id', '?')} under merge request {number}"
