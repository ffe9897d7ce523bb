# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a title: the same for the same fault in every boot and every build."""

import re
from collections.abc import Iterable

from guests.crash.frames import without_clone

_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,16}\b|\b(?:pid|PID|CPU|cpu)[:#= ]*\d+|#\d+|\[\d+\]")
_LINE = re.compile(r"\b([\w./-]{1,80}\.[chS]):\d+")
_SOMEBODY = re.compile(r"(?<!\S)[\w-]{1,64}(?:/\w{1,16})?(?::\w{1,16})?(?:[:/]\d{1,10}|\[\d{1,10}\])(?!\w)")
"""A process as the kernel names it: `comm/pid`, `comm:pid`, `comm[pid]`; a worker's comm is `kworker/u4:6`."""
_ANY_NUMBER = re.compile(r"\(?\b\d+(?:\.\d+)?m?s?\b\)?")
_PLACE = re.compile(r"(?<![\w.$])([\d.$]*+[A-Za-z_][\w.$]*+)\+0x[0-9a-f]+/0x[0-9a-f]+")
_FOLDERS = "arch block certs crypto drivers fs include init io_uring ipc kernel lib mm net rust security sound virt"
_TREE = re.compile(rf"^(?:\.{{0,2}}/)\S{{0,500}}?(?=(?:{'|'.join(_FOLDERS.split())})/)")
_PROCESS = re.compile(r"\bPID: (\d{1,10}) Comm: (.{1,64}?) (?:Kdump|Not tainted|Tainted|[GP]\b)")
_LONGEST = 160


def stable(name: str, text: str, report: Iterable[str]) -> str:
    """What a named group of a kind's `start` gives to the title, without what differs from boot to boot, or from one
    build folder to the next. From the group `text`, of which nobody knows what it holds, more is taken away."""
    text = _PLACE.sub(r"\1", text[:_LONGEST])
    if name == "text":
        text = _anonymous(text, report)
    return without_clone(_NUMBERS.sub("", _TREE.sub("", text))).strip(" :,")


def _anonymous(text: str, report: Iterable[str]) -> str:
    """Without numbers and without the process that was running."""
    process = next((match for line in report if (match := _PROCESS.search(line[:300]))), None)
    if process:
        text = re.sub(rf"(?<!\w){re.escape(process[2])}(?:[/:]{process[1]})?(?!\w)", "", text)
    text = _SOMEBODY.sub("", _LINE.sub(r"\1", text))
    return _ANY_NUMBER.sub("", _NUMBERS.sub("", text))
