# SPDX-License-Identifier: GPL-2.0-or-later
"""Part of the results model: the source, the series, and the variants that are made of them."""

from configs.model import Strict


class SourceRecord(Strict):
    spec: str
    title: str
    version: str
    commit: str
    tree: str


class PatchRecord(Strict):
    number: int
    subject: str
    author: str = ""
    patch_id: str = ""
    message_id: str = ""


class SeriesRecord(Strict):
    """The identity of the series under test. `digest` covers its content only, `warnings` what the reader noticed."""

    title: str
    origin: str
    version: int = 1
    digest: str = ""
    patches: tuple[PatchRecord, ...] = ()
    warnings: tuple[str, ...] = ()


class ApplyFailure(Strict):
    """Where the series stopped applying; `message` in git's own words."""

    patch: int
    subject: str
    file: str = ""
    hunk: str = ""
    message: str = ""


class Variant(Strict):
    """One variant. `patches` is how many of the series are applied: None for all, 0 for none. `config` are its own
    kconfig lines."""

    name: str
    patches: int | None = None
    config: tuple[str, ...] = ()
    commit: str = ""
    tree: str = ""
    failure: ApplyFailure | None = None
