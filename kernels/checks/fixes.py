# SPDX-License-Identifier: GPL-2.0-or-later
"""`Fixes:` tags: the commit exists, is part of what the series stands on, and has the subject that the tag quotes.

The form is that of Documentation/process/submitting-patches.rst: `Fixes: 54a4f0239f2e ("KVM: MMU: ...")`.
"""

import re
from collections.abc import Iterator

from kernels.checks.check import CannotCheckError, Finding, Level, PatchInTree, StaticCheck

_TAG = re.compile(r"^Fixes:(.*)$", re.MULTILINE | re.IGNORECASE)
_FORM = re.compile(r"(?:commit )?([0-9a-f]{7,64})\s*\(\"(.*)\"\)", re.IGNORECASE)
_SHORT = 12


def _run(item: PatchInTree) -> Iterator[Finding]:
    tags = [tag.strip() for tag in _TAG.findall(item.message)]
    good = [match for tag in tags if (match := _FORM.fullmatch(tag))]
    for tag in tags:
        if not _FORM.fullmatch(tag):
            text = f'`Fixes: {tag[:60]}` is not of the form 123456789abc ("subject")'
            yield Finding("", 0, Level.WARNING, "fixes-form", text)
    for match in good:
        if len(match[1]) < _SHORT:
            yield Finding("", 0, Level.WARNING, "fixes-form", f"Fixes: {match[1]} has fewer than {_SHORT} digits")
    if good and item.history is None:
        if len(good) == len(tags) and all(len(match[1]) >= _SHORT for match in good):
            raise CannotCheckError("the source has no history in which a commit could be looked up")
        return
    for match in good:
        yield from _looked_up(item, match[1].lower(), match[2])


def _looked_up(item: PatchInTree, commit: str, quoted: str) -> Iterator[Finding]:
    assert item.history is not None
    subject = item.history.subject(commit)
    if subject is None:
        yield Finding("", 0, Level.ERROR, "fixes-unknown", f"Fixes: {commit} names no commit of the source")
        return
    if " ".join(subject.split()) != " ".join(quoted.split()):
        text = f"Fixes: {commit} has the subject “{subject}”, and the tag quotes “{quoted}”"
        yield Finding("", 0, Level.ERROR, "fixes-subject", text)
    if not item.history.is_before(commit):
        text = f"Fixes: {commit} is no ancestor of base: what it names is not in the tree that is patched"
        yield Finding("", 0, Level.ERROR, "fixes-later", text)


FIXES = StaticCheck(
    "fixes", "`Fixes:` tags name a commit of the source by its subject", lambda item: bool(_TAG.search(item.message)),
    _run,
)  # fmt: skip
