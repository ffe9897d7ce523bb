# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened in a trial, for readers and for comparison."""

import hashlib
from collections.abc import Iterator
from itertools import chain, groupby
from operator import itemgetter

from testcases.seccomp.agent.batch import Trial
from testcases.seccomp.agent.observation import CallAnswer, Seen
from testcases.seccomp.check.calls import early, rows, singles
from testcases.seccomp.check.context import CheckContext
from testcases.seccomp.trials.expect import canonical, denials


def story(context: CheckContext, trial: Trial, seen: Seen) -> Iterator[str]:
    """What happened, one line for each attempt to attach and each row of numbers with the same outcome."""
    for index, attempt in enumerate(seen.attempts):
        yield f"attaching filter {index}: {attempt.answer}"
    for index, snapshot in enumerate(seen.snapshots):
        for block in snapshot.blocks:
            yield f"cache after filter {index}: {block.name}: {len(block.allowed)} of {block.size} numbers are ALLOW"
    possible = denials(trial.stack)
    for (arch, shown), nrs in _behaviour(context, trial, seen, possible):
        span = f"{nrs[0]}" if len(nrs) == 1 else f"{nrs[0]} to {nrs[-1]} ({len(nrs)} calls)"
        yield f"arch {arch:#x} nr {span}: {shown or 'ran'}"


def behaviour_digest(context: CheckContext, trial: Trial, seen: Seen) -> str:
    """Names what the kernel let run and how it denied the rest. Bitmaps are not part of it: base has none."""
    possible = denials(trial.stack)
    digest = hashlib.sha256()
    for attempt in seen.attempts:
        digest.update(repr(attempt.answer).encode())
    for shown, nrs in _behaviour(context, trial, seen, possible):
        digest.update(repr((shown, nrs)).encode())
    for index in seen.between:
        for made in early(context, trial, seen, index):
            digest.update(repr((made.nr, made.arch, canonical(made.answer, possible))).encode())
    return digest.hexdigest()


def _behaviour(
    context: CheckContext, trial: Trial, seen: Seen, possible: frozenset[CallAnswer] | None
) -> Iterator[tuple[tuple[int, CallAnswer | None], list[int]]]:
    """Under the whole stack: the numbers that were called, in rows of one architecture and one `canonical` answer."""
    made = chain(
        (
            (row.arch, canonical(row.answer, possible), row.numbers)
            for work in trial.works
            for row in rows(context, work, seen)
            if row.numbers
        ),
        ((one.arch, canonical(one.answer, possible), (one.nr,)) for one in singles(context, trial, seen)),
    )
    for alike, parts in groupby(made, key=itemgetter(0, 1)):
        yield alike, [nr for _arch, _shown, numbers in parts for nr in numbers]
