# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel trees small enough for a test that takes no time, and the git that made them."""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kernels.source.resolve import Source
from kernels.source.store import Store
from util.events import Event, Phase
from util.stop import Stop

MAKEFILE = """\
# SPDX-License-Identifier: GPL-2.0
VERSION = {0}
PATCHLEVEL = {1}
SUBLEVEL = {2}
EXTRAVERSION ={3}
NAME = Fake
"""

NO_UPKEEP = ("-c", "maintenance.auto=false")
"""Options of git without which every commit starts a further process that finds nothing to tidy up."""

SECCOMP = "".join(f"int line_{number};\n" for number in range(1, 41))

FILES = {
    "Kconfig": 'mainmenu "fake"\n',
    ".gitignore": "*.o\n*.orig\n/vmlinux\n",
    "kernel/seccomp.c": SECCOMP,
    "kernel/fork.c": "int fork;\n",
    "include/linux/seccomp.h": "struct seccomp;\n",
    "scripts/build.sh": "#!/bin/sh\n",
    "Documentation/über.rst": "Grüße\n",
}


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below a folder; a string that starts with `->` makes a symbolic link."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("->"):
            path.symlink_to(content[2:])
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def make_tree(folder: Path, version: str = "5.10.7", files: Mapping[str, str | bytes] | None = None) -> Path:
    """A folder that passes for a kernel tree of this version."""
    numbers, _, extra = version.partition("-")
    parts = [*numbers.split("."), "0", "0"][:3]
    makefile = MAKEFILE.format(*parts, f" -{extra}" if extra else "")
    write_files(folder, {"Makefile": makefile, **FILES, **(files or {})})
    (folder / "scripts/build.sh").chmod(0o755)
    link = folder / "include/asm"
    if not link.is_symlink():
        link.symlink_to("linux")
    return folder


def git(folder: Path, *args: str, data: bytes | None = None) -> str:
    """The output of git in a folder, with an identity and a date that never change."""
    fixed = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _WHO.items()}
    env = {**os.environ, **fixed, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *args], cwd=folder, env=env, input=data, capture_output=True, check=True)
    return os.fsdecode(done.stdout)


_WHO = {"NAME": "Jörg Tester", "EMAIL": "joerg@example.org", "DATE": "1600000000 +0200"}


def make_repo(folder: Path, version: str = "5.10.7") -> Path:
    """A git repository with such a tree as its first commit, on the branch `main`."""
    make_tree(folder, version)
    shutil.copytree(_template(version) / ".git", folder / ".git", dirs_exist_ok=True)
    git(folder, "update-index", "--refresh")
    return folder


@cache
def _template(version: str) -> Path:
    """The repository whose `.git` all others of this version get: four calls of git once, not for every test."""
    folder = Path(tempfile.mkdtemp(prefix="faketree-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_tree(folder / "linux", version)
    git(folder / "linux", "init", "--quiet", "--template=", "--initial-branch=main")
    commit(folder / "linux", "fake: start")
    return folder / "linux"


def commit(folder: Path, message: str, files: Mapping[str, str | bytes] | None = None) -> str:
    """Write files and commit everything; the new commit's id."""
    write_files(folder, files or {})
    git(folder, "add", "--all")
    git(folder, *NO_UPKEEP, "commit", "--quiet", "--allow-empty", "-m", message)
    return _head(folder)


def _head(folder: Path) -> str:
    """The commit of a repository in which this module has just made one, read as git writes it: a loose reference."""
    head = (folder / ".git/HEAD").read_text().strip()
    return (folder / ".git" / head.removeprefix("ref: ")).read_text().strip() if head.startswith("ref: ") else head


def changed(*numbers: int, text: str = "changed") -> str:
    """The content of kernel/seccomp.c with some of its lines changed."""
    lines = SECCOMP.splitlines()
    for number in numbers:
        lines[number - 1] = f"int {text}_{number};"
    return "\n".join(lines) + "\n"


class Events(list[Event]):
    """A listener that remembers."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def texts(self, phase: Phase) -> list[str]:
        return [event.text for event in self if event.phase is phase]

    def steps(self, phase: Phase = Phase.START) -> list[str]:
        return [event.step for event in self if event.phase is phase]


def resolve(spec: object, store: Store, events: Events | None = None) -> Source:
    """`resolve_source` with a listener and a stop of its own."""
    from kernels.source.resolve import resolve_source

    return resolve_source(str(spec), store, events if events is not None else Events(), Stop())
