# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that are known and let pass for a while: each with a reason, a link and a day on which that ends."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from pydantic import Field

from configs.loader import load
from configs.model import Strict
from guests.crash.outcome import Fault
from guests.crash.splats import Pattern
from util.errors import UserError
from util.paths import CONFIGS

LIST = CONFIGS / "allowed_faults.yaml"


class Allowed(Strict):
    """One entry: a fault of `kind` whose whole title matches `title`. `arch` empty: every architecture."""

    kind: str
    title: Pattern
    reason: str = Field(min_length=1)
    link: str = Field(pattern=r"^https?://\S+$")
    expires: date
    arch: str = ""


class AllowedFile(Strict):
    """The whole file."""

    allowed: tuple[Allowed, ...] = ()


def load_allowed(path: Path | None, today: date) -> tuple[Allowed, ...]:
    """The entries of a file, the rig's own list for None. Raises UserError for a mistake in it and for an entry
    whose day has passed."""
    path = path or LIST
    entries = load(path, AllowedFile).allowed
    for entry in entries:
        if entry.expires < today:
            remedy = "mend the fault, or say anew why it may stay"
            raise UserError(f"{path}: `{entry.title}` was let pass until {entry.expires}; {remedy}")
    return entries


def allowance(fault: Fault, entries: Sequence[Allowed], arch: str, today: date) -> Fault:
    """The fault, with the reason of the entry that covers it. What ends a guest is never let pass."""
    for entry in entries:
        covers = entry.kind == fault.kind and re.fullmatch(entry.title, fault.title)
        if covers and not fault.fatal and entry.expires >= today and entry.arch in ("", arch):
            return replace(fault, allowed=f"{entry.reason} ({entry.link}, until {entry.expires})")
    return fault
