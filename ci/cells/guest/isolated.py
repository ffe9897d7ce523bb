# SPDX-License-Identifier: GPL-2.0-or-later
"""A suite of which each program has a guest of its own: what they come to, as if it had been one guest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from guests.crash.outcome import End, Outcome
from testcases.suite import Payload


def alone(payload: Payload) -> Iterator[Payload]:
    """The payload of each program, with all the files."""
    for step in payload.steps:
        yield replace(payload, steps=(step,))


def merged(outcomes: Sequence[Outcome], console: Path) -> Outcome:
    """One outcome of all guests, in order; `console` gets what each printed. The end is that of the first that did not
    finish. Raises OSError."""
    worst = next((one for one in outcomes if one.end is not End.FINISHED), outcomes[-1])
    console.parent.mkdir(parents=True, exist_ok=True)
    console.write_bytes(b"".join(one.console.read_bytes() for one in outcomes))
    return replace(
        worst,
        steps=tuple(step for one in outcomes for step in one.steps),
        faults=tuple(fault for one in outcomes for fault in one.faults),
        console=console,
        seconds=sum(one.seconds for one in outcomes),
        fair_seconds=sum(one.fair_seconds for one in outcomes),
        notes=tuple(dict.fromkeys(note for one in outcomes for note in one.notes)),
        restored=all(one.restored for one in outcomes),
    )
