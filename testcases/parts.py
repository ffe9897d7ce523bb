# SPDX-License-Identifier: GPL-2.0-or-later
"""Some programs of a payload without the others. The results of a program are named `PROGRAM` and `PROGRAM.TEST`."""

from collections.abc import Collection
from dataclasses import replace

from configs.result import TestResult
from testcases.suite import Payload, payload_digest


def programs_of(payload: Payload) -> list[str]:
    """The steps that are programs, in order. Where a payload does not say which are, all are."""
    named = {name for name, _file in payload.origins}
    return [step.name for step in payload.steps if step.name in named or not named]


def only(payload: Payload, wanted: Collection[str], settled: tuple[TestResult, ...] = ()) -> Payload:
    """These programs with every file, with the steps that prepare a guest, and with these results as settled."""
    left_out = set(programs_of(payload)).difference(wanted)
    steps = tuple(step for step in payload.steps if step.name not in left_out)
    origins = tuple(item for item in payload.origins if item[0] in wanted)
    digest = payload_digest(payload.files, steps, settled, payload.own_modules)
    return replace(payload, steps=steps, origins=origins, settled=settled, digest=digest)


def program_of(test: str, programs: Collection[str]) -> str:
    """The program whose test this is; empty if none."""
    return max((name for name in programs if test == name or test.startswith(f"{name}.")), key=len, default="")
