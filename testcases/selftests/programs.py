# SPDX-License-Identifier: GPL-2.0-or-later
"""Some programs of a target without the others: those whose tests are in doubt, or that a glob of `--test` can mean.

The results of a program are named `PROGRAM` and `PROGRAM.TEST`. Within a program its tests may build on each other, and
are left together.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from configs.result import Status, TestResult
from testcases.suite import Payload, payload_digest


def select(payload: Payload, tests: Collection[str]) -> Payload | None:
    """The programs of these tests, with whatever prepares the guest; None where that is all of them, or where one of
    the tests is no program's."""
    programs = dict(payload.origins)
    wanted = {program for test in tests if (program := _program_of(test, programs))}
    if len(wanted) == len(programs) or not all(_program_of(test, programs) for test in tests):
        return None
    return replace(_only(payload, wanted), settled=())


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
    part = _only(payload, wanted)
    every = (*payload.settled, *skipped)
    digest = payload_digest(part.files, part.steps, every, part.own_modules)
    return replace(part, settled=every, digest=digest)


def can_answer(glob: str, program: str) -> bool:
    """Whether the glob matches `program`, or any text that begins with `program.`."""
    return fnmatchcase(program, glob) or _begins(glob, f"{program}.")


def _only(payload: Payload, wanted: Collection[str]) -> Payload:
    programs = dict(payload.origins)
    steps = tuple(step for step in payload.steps if step.name not in programs or step.name in wanted)
    origins = tuple(item for item in payload.origins if item[0] in wanted)
    digest = payload_digest(payload.files, steps, (), payload.own_modules)
    return replace(payload, steps=steps, origins=origins, digest=digest)


def _program_of(test: str, programs: Collection[str]) -> str:
    """The program whose test this is: `name` or `name.test`; empty if none."""
    return max((name for name in programs if test == name or test.startswith(f"{name}.")), key=len, default="")


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
