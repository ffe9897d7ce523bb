# SPDX-License-Identifier: GPL-2.0-or-later
"""Files are checked out and merged as they are in the tree, whatever a `.gitattributes` in it says.

A series may bring one, and `* text eol=crlf` or a filter would change every file of its checkout, and of the checkouts
that are made from that one. `info/attributes` of a repository goes before those of a tree (gitattributes(5)).
"""

from pathlib import Path

_NEUTRAL = "* -text -crlf !eol -filter -ident -working-tree-encoding !merge !diff !whitespace !conflict-marker-size\n"


def neutralise(git_dir: Path) -> None:
    """Make the repository deaf to attributes in its trees."""
    file = git_dir / "info" / "attributes"
    if file.is_file() and file.read_text(encoding="ascii") == _NEUTRAL:
        return
    file.parent.mkdir(exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(_NEUTRAL, encoding="ascii")
    new.replace(file)
