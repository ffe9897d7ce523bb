# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of a bisection for a person: what was found, the evidence of both sides, what it cost, what to paste."""

from collections.abc import Iterator
from textwrap import indent

from ci.bisect.facts.signature import FailedTest, SoughtKind
from ci.bisect.report.answer import BisectAnswer, BisectResult, KernelBoots, Skipped
from util.paths import called_as
from util.text import counted, paste

_LINES = 24
"""Lines of a test's output or of a kernel's report that are quoted."""
_SKIPPED = 12
TRACE = "decoded trace:"
"""The line of a report's text behind which its trace stands with files and lines (`ci.verdict.guest_tests`)."""


def render(answer: BisectAnswer) -> str:
    """The whole report; the last line is the answer in one."""
    return "\n".join(_lines(answer)) + "\n"


def last_line(answer: BisectAnswer) -> str:
    """`found (exit 0): ...`."""
    return f"{answer.outcome} (exit {answer.exit_code}, {_clock(answer.cost.seconds)}): {answer.summary}"


def _lines(answer: BisectAnswer) -> Iterator[str]:
    yield f"looked for  {answer.sought.words}{' mended' if answer.fixed else ''}"
    paths = f", only those that touch {' '.join(answer.where)}" if answer.where else ""
    yield f"in          {answer.place}, {counted(answer.commits, 'commit')}{paths}"
    yield f"good end    {_end(answer.good)}"
    yield f"bad end     {_end(answer.bad)}"
    yield from (f"note        {note}" for note in answer.notes)
    yield ""
    if answer.culprit:
        yield from _culprit(answer)
    yield from _candidates(answer)
    yield from _others(answer)
    cost = answer.cost
    known = f" ({cost.warm} more were there already)" if cost.warm else ""
    yield f"{counted(cost.builds, 'kernel')} built{known}, {counted(cost.boots, 'guest')}, {_clock(cost.seconds)}"
    yield last_line(answer)


def _end(witness: KernelBoots) -> str:
    return f'{witness.name} "{witness.subject}" {witness.words}'


def _culprit(answer: BisectAnswer) -> Iterator[str]:
    culprit, proof = answer.culprit, answer.proof
    assert culprit
    for reason in proof.suspicious:
        yield f"SUSPICIOUS: {reason}. This commit can hardly be the cause."
    for reason in proof.missing:
        yield f"NOT PROVED: {reason}."
    if proof.suspicious or proof.missing:
        yield ""
    yield f"commit {culprit.commit}"
    yield f"Author: {culprit.author}"
    yield f"Date:   {culprit.date}"
    yield ""
    yield f"    {culprit.subject}"
    yield ""
    if culprit.diffstat:
        yield culprit.diffstat
        yield ""
    yield from (f"its parent {parent.name} {parent.words}" for parent in proof.parents)
    if proof.culprit:
        yield f"it {proof.culprit.words}"
    if proof.reverted:
        yield proof.reverted
    rate = f", it shows in {100 * answer.rate:.0f} % of boots" if answer.rate is not None else ""
    yield f"confidence {100 * answer.confidence:.2f} %{rate}"
    yield ""
    if proof.culprit:
        yield from evidence(proof.culprit, "with it")
    for parent in proof.parents[:1]:
        yield from evidence(parent, "without it")
    if answer.reproduce:
        yield "to see it again:"
        yield paste(answer.reproduce, 100, "    ")
        yield ""


def evidence(witness: KernelBoots, title: str) -> Iterator[str]:
    """What one guest of a commit said: its failures with output or decoded trace, its console's file."""
    boot = witness.evidence
    if boot is None:
        return
    yield f"{title} ({witness.name}):"
    for failure in boot.failures[:3]:
        yield f"    FAIL {failure.name}{': ' if failure.message else ''}{failure.message}"
        if text := "\n".join(quoted(failure)[:_LINES]):
            yield indent(text, "        ")
    for name in boot.passed[:3] if not boot.failures else ():
        yield f"    PASS {name}"
    for name, value in list(boot.figures.items())[:5]:
        yield f"    {name}: {value}"
    if not boot.failures and not boot.passed and boot.finished and not boot.figures:
        yield "    finished without it"
    if boot.console:
        yield f"    console: {boot.console}"
    yield ""


def quoted(failure: FailedTest) -> list[str]:
    """The lines of a failure that say most: a test's own, of a kernel's report its first one and the decoded trace."""
    lines = failure.text.strip().splitlines()
    if TRACE not in lines:
        return lines
    return [*lines[:1], *lines[lines.index(TRACE) :]]


def _candidates(answer: BisectAnswer) -> Iterator[str]:
    for culprit in answer.candidates:
        yield f"    {culprit.name} {culprit.subject}"
    if answer.candidates:
        yield ""


def _others(answer: BisectAnswer) -> Iterator[str]:
    """The commits that said nothing, and an offer to look for what was in the way."""
    if not answer.skipped:
        return
    yield "skipped, without blame:"
    for item in answer.skipped[:_SKIPPED]:
        yield f'    {item.name} "{item.subject}": {item.reason}'
    if len(answer.skipped) > _SKIPPED:
        yield f"    and {len(answer.skipped) - _SKIPPED} more"
    if offer := other_fault(answer):
        yield "    the fault that was in the way can be looked for as well:"
        yield paste(offer, 100, "    ")
    yield ""


def other_fault(answer: BisectAnswer) -> tuple[str, ...]:
    """The command that bisects the first other fault; nothing where there was none."""
    met: Skipped | None = next((item for item in answer.skipped if item.fault), None)
    if met is None or answer.outcome is BisectResult.ALIKE or answer.sought.kind is SoughtKind.BUDGET:
        return ()
    name = met.fault.partition(": ")[0]
    if " " in name:
        return (
            called_as(),
            "bisect",
            *_place(answer),
            "--bad",
            met.commit,
            "--good",
            answer.good.commit,
            "--splat",
            name,
        )
    return (called_as(), "bisect", *_place(answer), "--bad", met.commit, "--good", answer.good.commit, "--test", name)


def _place(answer: BisectAnswer) -> tuple[str, ...]:
    return ("--source", answer.place)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
