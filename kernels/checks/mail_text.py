# SPDX-License-Identifier: GPL-2.0-or-later
"""The mail itself, by Documentation/process/submitting-patches.rst: who signs, what stands above `---`, numbers."""

import re
from collections.abc import Iterator
from email.utils import parseaddr

from kernels.checks.check import Finding, Level, PatchInTree, StaticCheck

_SIGNED = re.compile(r"^Signed-off-by:(.*\S.*)$", re.MULTILINE | re.IGNORECASE)
_BELOW = re.compile(
    r"^(?:change(?:s|log)\b.*:|(?:changes?|changed|differences?) (?:in|since|from) (?:\[?(?:patch|rfc)\]? ?)?v\d+\b.*|"
    r"v\d+ ?(?:->|=>|→) ?v\d+\b.*|[-* ]*v\d+:.*)$",
    re.MULTILINE | re.IGNORECASE,
)


def _run(item: PatchInTree) -> Iterator[Finding]:
    yield from _signatures(item)
    for line in _BELOW.finditer(item.message):
        text = f"“{line[0].strip()[:60]}” is about the history of the patch and belongs below `---`"
        yield Finding("", 0, Level.WARNING, "below-the-line", text)
    subject = item.header("Subject")
    numbered = re.match(r"\[[^]]*\d+/\d+", subject) is not None
    # A commit of a range gets its number when it is sent.
    if item.patch.made is None and item.total > 1 and re.match(r"\[[^]]*PATCH", subject) and not numbered:
        text = f"the subject has no number, and the series has {item.total} patches: `git format-patch -n`"
        yield Finding("", 0, Level.WARNING, "unnumbered", text)


def _signatures(item: PatchInTree) -> Iterator[Finding]:
    signed = [_address(text) for text in _SIGNED.findall(item.message)]
    people = {"author": item.patch.author, "sender": item.header("From")}
    missing = {role: who for role, who in people.items() if (address := _address(who)) and address not in signed}
    if "author" in missing and "sender" in missing and _address(people["author"]) == _address(people["sender"]):
        del missing["sender"]
    for role, who in missing.items():
        yield Finding("", 0, Level.ERROR, "unsigned", f"no Signed-off-by of the {role}, {who}")


def _address(text: str) -> str:
    return parseaddr(text)[1].lower()


MAIL = StaticCheck(
    "mail", "who signed, what belongs below `---`, numbered subjects", lambda item: not item.patch.merges, _run
)
