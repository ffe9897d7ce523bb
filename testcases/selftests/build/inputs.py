# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files of the kernel tree a selftest is made from, and a private copy of exactly those.

The copy is what makes the content address honest: a file that is not named by the key cannot be read by the build.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from configs.names import did_you_mean
from testcases.selftests import SELFTESTS
from util.children.program import run
from util.errors import MachineError, UserError
from util.stop import Stop

if TYPE_CHECKING:
    from kernels.source.store import Store

_ALWAYS = ("scripts/subarch.include", f"{SELFTESTS}/kselftest")
_REFERENCE = re.compile(r"(?:\.\./)+[\w.+-]+(?:/[\w.+-]+)*|\$[({](?:top_srcdir|srctree|TOP_SRCDIR)[)}]/[\w./+-]+")
_GREP = r"\.\./|\$[({](top_srcdir|srctree|TOP_SRCDIR|TOOLS_INCLUDES|KBUILD)|-l[a-z]"
_FOLLOWED = ("tools/include", "tools/arch")
"""Where headers for the kernel's own tools stand. They take in one another by relative paths, also those of an
architecture that only the preprocessor knows."""
_ROOT = re.compile(r"-I\s*+\$[({](?:top_srcdir|srctree|TOP_SRCDIR)[)}]/?(?=\s|$)")
"""A Makefile that has the compiler look for headers from the tree's root on."""
_INCLUDE = re.compile(r"""^[ \t]*+#[ \t]*+include[ \t]*+[<"](?P<path>[\w.+-]++(?:/[\w.+-]++)++)[>"]""", re.MULTILINE)
_LIBRARY = re.compile(r"(?<![\w-])-l([a-z][\w+-]*)")


@dataclass(frozen=True, slots=True)
class Inputs:
    """`objects` are (path, git object id), sorted; `libraries` the names behind `-l` in the target's Makefiles."""

    commit: str
    target: str
    objects: tuple[tuple[str, str], ...]
    libraries: tuple[str, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self.objects).encode()).hexdigest()

    @property
    def folder(self) -> str:
        return f"{SELFTESTS}/{self.target}"


def mentions(tree: Path, target: str, text: str) -> bool:
    """Whether a file of the target's folder, in a checkout, holds the text."""
    wanted = text.encode()
    files = (path for path in (tree / SELFTESTS / target).rglob("*") if path.is_file() and not path.is_symlink())
    return any(wanted in path.read_bytes() for path in files)


def find_inputs(store: "Store", commit: str, target: str, extra: Iterable[str] = ()) -> Inputs:
    """The target's folder, the files that all selftests share, whatever the target's text refers to by a relative
    path, and `extra`. Raises UserError when the tree has no such target."""
    folder = f"{SELFTESTS}/{target}"
    if store.path_id(commit, f"{folder}/Makefile") is None:
        near = did_you_mean(target, [path.removeprefix(f"{SELFTESTS}/") for path in _folders(store, commit)])
        raise UserError(f"the kernel tree has no selftest `{target}`: no {folder}/Makefile in it{near}")
    shared = [path for kind, path in _list(store, commit, f"{SELFTESTS}/") if kind == "blob"]
    wanted = {*shared, *_ALWAYS, *extra}
    todo, seen, libraries = [folder], set(), set()
    while todo:
        here = todo.pop()
        seen.add(here)
        lines = list(_interesting(store, commit, here))
        if here == folder:
            recipes = [line for path, line in lines if _is_makefile(path)]
            libraries = {name for line in recipes for name in _LIBRARY.findall(line)}
            if any(_ROOT.search(line) for line in recipes):
                wanted |= _included(store, commit, folder)
        # A header of another folder finds what it includes from where it stands; only the target's own are compiled
        # where the target stands.
        start = folder if here.startswith(f"{SELFTESTS}/") else ""
        for reference in {found for path, line in lines for found in _references(path, start, line)}:
            place = _sibling(reference) or reference
            wanted.add(place)
            if place not in seen and place not in todo and (_sibling(reference) or place.startswith(_FOLLOWED)):
                todo.append(place)
    objects = _existing(store, commit, wanted | seen)
    return Inputs(commit, target, objects, tuple(sorted(libraries)))


def _list(store: "Store", commit: str, *paths: str) -> list[tuple[str, str]]:
    """(kind, path) of tree entries."""
    rows = store.git("ls-tree", "-z", commit, "--", *paths).split("\0")
    return [(row.split()[1], row.partition("\t")[2]) for row in rows if row]


def _folders(store: "Store", commit: str) -> list[str]:
    """The folders of the selftests in a tree."""
    return [path for kind, path in _list(store, commit, f"{SELFTESTS}/") if kind == "tree"]


def _interesting(store: "Store", commit: str, folder: str) -> Iterator[tuple[str, str]]:
    """(path, line) of all lines below `folder` that may hold a reference or a library."""
    text = store.git("grep", "-I", "-z", "-E", _GREP, commit, "--", folder, check=False)
    for row in text.splitlines():
        path, _, line = row.removeprefix(f"{commit}:").partition("\0")
        yield path, line


def _included(store: "Store", commit: str, folder: str) -> set[str]:
    """The paths that files below `folder` include by more than a name; most are of the C library."""
    text = store.git("grep", "-I", "-h", "-E", r"^\s*#\s*include\s*[<\"].*/", commit, "--", folder, check=False)
    return {_normal(found["path"]) for found in _INCLUDE.finditer(text)}


def _is_makefile(path: str) -> bool:
    return path.rpartition("/")[2].startswith("Makefile") or path.endswith(".mk")


def _references(path: str, target: str, line: str) -> Iterator[str]:
    """Paths from the tree's root that a line of `path` refers to, seen from the file and from the folder `target`,
    where the compiler runs; empty: from the file alone."""
    if "TOOLS_INCLUDES" in line:
        yield "tools/include"
    for found in _REFERENCE.findall(line):
        if found.startswith("$"):
            yield _normal(found.partition("/")[2])
            continue
        for start in {str(PurePosixPath(path).parent), target or str(PurePosixPath(path).parent)}:
            yield _normal(f"{start}/{found}")


def _normal(path: str) -> str:
    """The path without `.` and `..`; empty for one that leaves the tree."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _sibling(path: str) -> str:
    """The other target's folder in which a path lies, '' if in none: its headers may take in one another."""
    rest = path.removeprefix(f"{SELFTESTS}/")
    return f"{SELFTESTS}/{rest.partition('/')[0]}" if rest != path and "/" in rest else ""


def _existing(store: "Store", commit: str, paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(path, object id) of those paths that the tree has, without the ones that hold the selftests themselves and
    those that lie inside another."""
    candidates = sorted(path for path in paths if path and not f"{SELFTESTS}/".startswith(f"{path}/"))
    if not candidates:
        return ()
    rows = store.git("ls-tree", "-z", commit, "--", *candidates).split("\0")
    found = {row.partition("\t")[2]: row.split()[2] for row in rows if row}
    kept = [path for path in found if not any(str(parent) in found for parent in PurePosixPath(path).parents)]
    return tuple((path, found[path]) for path in sorted(kept))


def export(store: "Store", commit: str, paths: Iterable[str], folder: Path, stop: Stop) -> None:
    """Writes the paths of the tree below `folder`. Raises MachineError (disk full, ...) and Stopped."""
    archive = folder / ".export.tar"
    argv = ["git", f"--git-dir={store.git_dir}", "archive", "--format=tar", f"--output={archive}", commit, "--"]
    for command in ([*argv, *paths], ["tar", "-x", "-f", str(archive), "-C", str(folder), "--no-same-owner"]):
        done = run(command, stop=stop)
        if done.status:
            raise MachineError(f"{command[0]} could not write {folder}: {done.words.splitlines()[-1:]}")
    archive.unlink()


def digest_folder(folder: Path) -> str:
    """Hexadecimal digest of the names and contents of all files below `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            digest.update(repr((str(path.relative_to(folder)), str(path.readlink()))).encode())
        elif path.is_file():
            mode = path.stat().st_mode & 0o111
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(repr((str(path.relative_to(folder)), bool(mode), content)).encode())
    return digest.hexdigest()
