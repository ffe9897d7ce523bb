# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with a merge request as such is said before any job begins, in every place where a person looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci.gitlab import note
from ci.plan.plan import Plan
from ci.report import unfinished
from kernels.patches.series import read_series
from kernels.source.store import Store
from util.errors import UserError
from util.files.atomic import write_atomic
from util.stop import Stop

REFUSED, NOTE, GATE = "refused.txt", "note.md", "junit.xml"


@contextmanager
def refused(folder: Path, name: str = "rig") -> Iterator[None]:
    """Inside of it a UserError also leaves its line in `folder`: as text, as a JUnit failure and as a note."""
    for old in (REFUSED, NOTE, GATE):
        (folder / old).unlink(missing_ok=True)
    try:
        yield
    except UserError as error:
        write_atomic(folder / REFUSED, f"{error}\n")
        write_atomic(folder / GATE, unfinished.refusal(str(error)))
        write_atomic(folder / NOTE, note.refusal(str(error), name))
        raise


def check_series(plan: Plan) -> None:
    """Raises UserError for a series that cannot be read, such as a branch that has nothing of its target."""
    specs = {choice.series or plan.profile.series for choice in plan.variants}
    for spec in sorted(specs - {"none"}):
        read_series(spec, Store(), plan.profile.source, Stop(), plan.choice)
