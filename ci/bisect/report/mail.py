# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of a report mail: what was seen, how it was found, how to see it again, and nothing that was not seen."""

from collections.abc import Iterator

from ci.bisect.facts.signature import FailedTest, SoughtKind
from ci.bisect.report.answer import BisectAnswer, BisectResult
from ci.bisect.report.text import quoted
from util.text import counted, paste


def render(answer: BisectAnswer) -> str:
    """The mail; empty where no culprit was found."""
    return "\n".join(_lines(answer)) + "\n" if answer.culprit else ""


def _lines(answer: BisectAnswer) -> Iterator[str]:
    culprit, proof = answer.culprit, answer.proof
    assert culprit
    yield f'Subject: [REGRESSION] {_title(answer)}, bisected to "{culprit.subject}"'
    yield ""
    yield "Hi,"
    yield ""
    yield f'commit {culprit.commit[:12]} ("{culprit.subject}") {"mends" if answer.fixed else "breaks"} {_what(answer)}.'
    yield ""
    if answer.outcome is BisectResult.DOUBTFUL:
        yield "Take this with care:"
        yield from (f"- {reason}" for reason in (*proof.suspicious, *proof.missing))
        yield ""
    if proof.culprit:
        yield f"- {proof.culprit.name} {proof.culprit.words}"
    yield from (f"- its parent {parent.name} {parent.words}" for parent in proof.parents)
    if proof.reverted:
        yield f"- {proof.reverted}"
    yield ""
    yield from _evidence(answer)
    rate = f" The fault showed in {100 * answer.rate:.0f} % of the boots." if answer.rate not in (None, 1.0) else ""
    yield (
        f"Found by git bisect over {counted(answer.commits, 'commit')} from {answer.good.name} (good) to "
        f"{answer.bad.name} (bad), in {counted(answer.cost.boots, 'boot')} under QEMU, with a confidence of "
        f"{100 * answer.confidence:.1f} %.{rate}"
    )
    if answer.skipped:
        yield f"Skipped, since they do not build or fail otherwise: {counted(len(answer.skipped), 'commit')}."
    yield ""
    if answer.reproduce:
        yield "To reproduce:"
        yield ""
        yield paste(answer.reproduce, 76, "    ")
        yield ""
    if culprit.fixes and not answer.fixed:
        yield culprit.fixes
        yield ""
    if answer.log:
        yield "git bisect log:"
        yield ""
        yield from (f"    {line}" for line in answer.log.splitlines())


def _title(answer: BisectAnswer) -> str:
    failure = next(iter(_failures(answer)), None)
    if failure and failure.name.startswith("guest/fault/"):
        return failure.name.removeprefix("guest/fault/")
    return f"{failure.name} fails" if failure else answer.sought.words


def _what(answer: BisectAnswer) -> str:
    failure = next(iter(_failures(answer)), None)
    if answer.sought.kind is SoughtKind.BUDGET or failure is None:
        return answer.sought.words
    where = " ".join(part for part in failure.spot[:2] if part)
    if failure.name.startswith("guest/"):
        return f"the kernel on {failure.spot[0]}: {failure.name.removeprefix('guest/fault/')}"
    return f"{failure.spot[3]}/{failure.name} on {where}"


def _failures(answer: BisectAnswer) -> tuple[FailedTest, ...]:
    witness = answer.proof.culprit
    return witness.evidence.failures if witness and witness.evidence else ()


def _evidence(answer: BisectAnswer) -> Iterator[str]:
    for failure in _failures(answer)[:1]:
        yield from (f"    {line}" for line in quoted(failure)[:40])
        yield ""
