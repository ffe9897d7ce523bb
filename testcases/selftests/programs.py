# SPDX-License-Identifier: GPL-2.0-or-later
"""Some programs of a target without the others: those whose tests are in doubt, or that a glob of `--test` can mean.

Within a program its tests may build on each other, and are left together.
"""

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase

from configs.result import Status, TestResult
from testcases.parts import only, program_of
from testcases.suite import Payload


def select(payload: Payload, tests: Collection[str]) -> Payload | None:
    """The programs of these tests, with whatever prepares the guest; None where that is all of them, or where one of
    the tests is no program's."""
    programs = dict(payload.origins)
    wanted = {program for test in tests if (program := program_of(test, programs))}
    if len(wanted) == len(programs) or not all(program_of(test, programs) for test in tests):
        return None
    return only(payload, wanted)


def narrowed(payload: Payload, glob: str, suite: str) -> Payload:
    """The programs of which a result can answer to the glob, as `TEST` or as `SUITE/TEST`. Each of the others has a
    result that says why it did not run. The payload as it is where the glob can mean all of them, or none: then it may
    mean what is found out about the guest, or is a mistake, of which all names tell."""
    settled = {result.name: result for result in payload.settled}
    known = [*dict(payload.origins), *settled]
    wanted = {name for name in known if can_answer(glob, name) or can_answer(glob, f"{suite}/{name}")}
    left = [name for name, _origin in payload.origins if name not in wanted]
    if not wanted or not left:
        return payload
    origins, why = dict(payload.origins), f"left out: no result of it can answer to --test {glob}"
    skipped = (TestResult(name, Status.SKIP, message=why, file=origins[name]) for name in left)
    return only(payload, wanted, (*payload.settled, *skipped))


def can_answer(glob: str, program: str) -> bool:
    """Whether the glob matches `program`, or any text that begins with `program.`."""
    return fnmatchcase(program, glob) or _begins(glob, f"{program}.")


def _begins(glob: str, text: str) -> bool:
    """Whether the glob matches a text that begins with this one: from the first `*` on, something always does."""
    signs = list(_signs(glob))
    if "*" in signs:
        text = text[: signs.index("*")]
    return len(text) <= len(signs) and all(map(fnmatchcase, text, signs))


def _signs(glob: str) -> Iterator[str]:
    """The glob in pieces that each stand for one character, or for any number: `*`, `?`, `[a-z]`, `x`. A bracket that
    is not closed is a plain character, as for fnmatch."""
    at = 0
    while at < len(glob):
        end = at + 1
        if glob[at] == "[":
            first = at + (2 if glob[at + 1 : at + 2] == "!" else 1)
            closing = glob.find("]", first + 1)
            end = closing + 1 if closing > 0 else end
        yield glob[at:end]
        at = end
