# SPDX-License-Identifier: GPL-2.0-or-later
"""The links that a Debian package asks `update-alternatives` for when it is installed: `/usr/sbin/iptables` and
`/bin/nc` are no files of their packages but such links.

They are read out of the package's `postinst`; the script itself never runs. update-alternatives(1) has the options.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_COMMAND = re.compile(r"^\s*update-alternatives\s+(?P<words>--install\s.*)$", re.MULTILINE)
_LOOP = re.compile(
    r"\bfor\s+(?P<name>\w+)\s+in\s+(?P<words>[^\n;]+?)\s*(?:;|\n)\s*do\b(?P<body>.*?)\n\s*done\b", re.DOTALL
)
_INSTALL, _SLAVE = 5, 4
"""How many words the two options take up, with themselves."""


def add_alternatives(root: Path, postinst: str) -> None:
    """Makes in the unpacked package `root` those links whose targets it holds, of the highest priority each. A file of
    the package's own stays."""
    best: dict[str, tuple[int, str]] = {}
    for link, target, priority in _asked_for(postinst):
        if (root / target.lstrip("/")).is_file() and priority > best.get(link, (-1, ""))[0]:
            best[link] = (priority, target)
    for link, (_priority, target) in best.items():
        place = root / link.lstrip("/")
        if not place.exists() and not place.is_symlink():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)


def _asked_for(postinst: str) -> Iterator[tuple[str, str, int]]:
    """(link, target, priority) of every `--install` and of the `--slave` options behind it. What cannot be read without
    running the script is left out."""
    text = _unrolled(postinst.replace("\\\n", " "))
    for found in _COMMAND.finditer(text):
        try:
            words = shlex.split(found["words"], comments=True)
            priority = int(words[_INSTALL - 1])
        except (ValueError, IndexError):
            continue
        slaves = [words[at : at + _SLAVE] for at in range(_INSTALL, len(words)) if words[at] == "--slave"]
        for _option, link, _name, target in (
            [*words[: _INSTALL - 1]],
            *(slave for slave in slaves if len(slave) == _SLAVE),
        ):
            if _is_plain(link) and _is_plain(target):
                yield link, target, priority


def _unrolled(text: str) -> str:
    """Loops over plain words, once for each word."""

    def unroll(loop: re.Match[str]) -> str:
        name = re.compile(rf"\$(?:\{{{loop['name']}\}}|{loop['name']}\b)")
        return "\n".join(name.sub(lambda _found, word=word: word, loop["body"]) for word in loop["words"].split())

    return _LOOP.sub(unroll, text)


def _is_plain(path: str) -> bool:
    """An absolute path without a variable, and without a way out of the package."""
    return path.startswith("/") and "$" not in path and ".." not in PurePosixPath(path).parts
