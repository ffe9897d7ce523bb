# SPDX-License-Identifier: GPL-2.0-or-later
"""One known issue as a file of known issues has it (`ci.verdict.known` reads and applies them)."""

from datetime import date

from pydantic import Field, field_validator

from configs.model import Strict
from configs.result import Status


class KnownEntry(Strict):
    """One known issue as written. `test`, `suite`, `arch`, `abi`, `flavour` and `source` (the base's version) are
    globs. `flaky: true` also allows the test to pass.
    """

    test: str = Field(min_length=1)
    suite: str = "*"
    arch: str = "*"
    abi: str = "*"
    flavour: str = "*"
    source: str = "*"
    status: Status = Status.FAIL
    flaky: bool = False
    reason: str = Field(min_length=1)
    link: str = Field(pattern=r"^https?://\S+$")
    expires: date

    @field_validator("status")
    @classmethod
    def _not_good(cls, value: Status) -> Status:
        if value is Status.PASS:
            raise ValueError("PASS is no issue")
        return value
