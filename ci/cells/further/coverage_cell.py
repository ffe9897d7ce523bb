# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of a kernel that counts its lines: it runs its suite, and init sends the counters after the last step."""

import base64
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ci.cells.guest.guest_cell import GuestCell, request_of
from ci.plan.build_tasks import RunContext
from guests.crash.outcome import End
from guests.run.run import run_guest
from initramfs.job import Step
from kernels.coverage.gcov import counters_of
from util.files.atomic import write_atomic
from util.files.seal import sealed_json, unsealed_json
from util.paths import cache

_STEP = Step("coverage", ("/rig/counters",), timeout=10)
"""There is no such program: init sends the files of a step however it ends."""


@dataclass(frozen=True, slots=True)
class GuestCounters:
    """`counters` are the contents of .gcda files by object; `problem` is one line where there are none or not all."""

    counters: dict[str, bytes]
    problem: str = ""


def count(guest: GuestCell, targets: Sequence[str], context: RunContext) -> GuestCounters:
    """What the guest's suite leaves in the counters of these objects, from the cache where it is known. Raises
    MachineError, Stopped."""
    key = hashlib.sha256(repr((guest.key, tuple(targets))).encode()).hexdigest()
    if not guest.fresh and (known := _known(key)):
        return GuestCounters(known)
    steps = (*guest.payload.steps, replace(_STEP, collect=tuple(map(counters_of, targets))))
    request = request_of(replace(guest, payload=replace(guest.payload, steps=steps)))
    with context.jobserver.token(context.stop):
        outcome = run_guest(replace(request, label=f"{guest.label} coverage"), context.emit, context.stop)
    shutil.rmtree(request.folder, ignore_errors=True)
    files = dict(outcome.steps[-1].files) if outcome.steps else {}
    found = {target: files[name] for target in targets if files.get(name := counters_of(target))}
    if outcome.end is not End.FINISHED:
        return GuestCounters(found, f"its guest did not finish: {outcome.message}")
    if not found:
        return GuestCounters({}, "its kernel shows no counters")
    encoded = {target: base64.b64encode(data).decode() for target, data in found.items()}
    write_atomic(cache("coverage") / f"{key}.json", sealed_json(dict(encoded)))
    return GuestCounters(found)


def _known(key: str) -> dict[str, bytes]:
    try:
        found = unsealed_json((cache("coverage") / f"{key}.json").read_text(encoding="utf-8"))
        return {target: base64.b64decode(text, validate=True) for target, text in found.items()}
    except (OSError, ValueError, TypeError):
        return {}
