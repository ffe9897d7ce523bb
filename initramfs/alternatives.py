# SPDX-License-Identifier: GPL-2.0-or-later
"""The links that a Debian package asks `update-alternatives` for when it is installed: `/usr/sbin/iptables` and
`/bin/nc` are no files of their packages but such links.

They are read out of the package's `postinst`; the script itself never runs. update-alternatives(1) has the options.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_INSTALL, _SLAVE = 5, 4
"""How many words the two options take up, with themselves."""
_LOWEST = 10
"""Below it stands what Debian ranks as a makeshift itself: mawk (5), which knows less than busybox's awk (`-e`)."""


def add_alternatives(root: Path, postinst: str) -> None:
    """Makes in the unpacked package `root` those links whose targets it holds, of the highest priority each. A file of
    the package's own stays."""
    best: dict[str, tuple[int, str]] = {}
    for link, target, priority in _asked_for(postinst):
        if (root / target.lstrip("/")).is_file() and priority > best.get(link, (_LOWEST - 1, ""))[0]:
            best[link] = (priority, target)
    for link, (_priority, target) in best.items():
        place = root / link.lstrip("/")
        inside = place.parent.resolve().is_relative_to(root.resolve())  # a folder of the package may be a link itself
        if inside and not place.exists() and not place.is_symlink():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)


def _asked_for(postinst: str) -> Iterator[tuple[str, str, int]]:
    """(link, target, priority) of every `--install` and of the `--slave` options behind it. What cannot be read without
    running the script is left out."""
    for command in _commands(postinst):
        try:
            words = shlex.split(command, comments=True)[1:]
            priority = int(words[_INSTALL - 1])
        except (ValueError, IndexError):
            continue
        slaves = [words[at : at + _SLAVE] for at in range(_INSTALL, len(words)) if words[at] == "--slave"]
        whole = [words[: _INSTALL - 1], *(slave for slave in slaves if len(slave) == _SLAVE)]
        for _option, link, _name, target in whole:
            if _is_plain(link) and _is_plain(target):
                yield link, target, priority


def _commands(postinst: str) -> Iterator[str]:
    """The lines that begin with the command; those in a loop over plain words, once for each word."""
    name, values = "", [""]
    for line in postinst.replace("\\\n", " ").split("\n"):
        match line.replace(";", " ").split():
            case ["for", name, "in", *values]:
                values = [word for word in values if word != "do"]
            case ["done", *_]:
                name, values = "", [""]
            case ["update-alternatives", "--install", *_]:
                for value in values:
                    yield line.replace(f"${{{name}}}", value).replace(f"${name}", value) if name else line
            case _:
                pass


def _is_plain(path: str) -> bool:
    """An absolute path without a variable, and without a way out of the package."""
    return path.startswith("/") and "$" not in path and ".." not in PurePosixPath(path).parts
