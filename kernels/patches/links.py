# SPDX-License-Identifier: GPL-2.0-or-later
"""What a series leaves behind may hold no submodule and no link out of the tree, whatever its diffs looked like."""

from collections.abc import Mapping

from kernels.source.store import Store
from util.errors import UserError
from util.text import plain

MAX_LINKS = 40
"""That the kernel follows in one path (MAXSYMLINKS of namei.c)."""
_LINK, _SUBMODULE = "120000", "160000"


def check_links(store: Store, before: str, after: str, origin: str) -> None:
    """Follows every link of the tree `after` as the kernel would, through other links. Raises UserError for one that
    leaves the tree, unless it left the tree `before` just as well and is none that the series touches."""
    text = store.git("diff-tree", "-r", "-z", "--no-renames", before, after)
    words = text.split("\0")[:-1]
    changed = {path: head.split() for head, path in zip(words[0::2], words[1::2], strict=True)}
    for path, fields in changed.items():
        if fields[1] == _SUBMODULE:
            raise UserError(f"{origin}: makes {plain(path)} a submodule")
    if not any(_LINK in (fields[0].lstrip(":"), fields[1]) for fields in changed.values()):
        return  # nothing that a path could be led through is another than before
    links = _links(store, after)
    for path in sorted(links):
        if leaves(path, links) and (path in changed or not leaves(path, _links(store, before))):
            raise UserError(f"{origin}: makes {path!r} a link to {links[path]!r}, which leaves the tree")


def _links(store: Store, tree: str) -> dict[str, str]:
    """Every link of a tree with its target."""
    records = store.git("ls-tree", "-r", "-z", "--full-tree", tree).split("\0")
    found = [record.partition("\t") for record in records if record.startswith(_LINK)]
    return {path: store.git("cat-file", "blob", head.split()[2]) for head, _, path in found}


def leaves(path: str, links: Mapping[str, str]) -> bool:
    """Whether following `path`, a link, ends outside of the tree or never ends. What is missing is a plain name."""
    todo = path.split("/")[::-1]
    place: list[str] = []
    followed = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not place:
                return True
            place.pop()
            continue
        target = links.get("/".join([*place, part]))
        if target is None:
            place.append(part)
            continue
        followed += 1
        if target.startswith("/") or followed > MAX_LINKS:
            return target.startswith("/")
        todo += target.split("/")[::-1]
    return False
