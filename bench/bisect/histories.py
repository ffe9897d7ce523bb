# SPDX-License-Identifier: GPL-2.0-or-later
"""Histories of 64 commits on the imported 5.10 kernel, each with a culprit of another kind, to be bisected."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.subject import EditEntry, subject
from util.paths import ROOT, cache

SERIES = ROOT / "tests" / "series"
SOURCE = "debian:linux-source-5.10"
COMMITS = 64
FILES = (subject().source, "kernel/sys.c", "kernel/fork.c", "kernel/exit.c", "kernel/pid.c")
"""What the harmless commits touch in turn."""
TESTED = ("--arch", "x86_64", "--suite", subject().selftests)
ONE = ("--abi", "x86_64")


@dataclass(frozen=True, slots=True)
class CommitEdit:
    """One change: the patches of a folder, or `old` replaced by `new` in a file."""

    folder: Path | None = None
    path: str = ""
    old: str = ""
    new: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        if self.folder is None:
            return (self.path,)
        lines = [line for patch in self.folder.glob("*.patch") for line in patch.read_text().splitlines()]
        return tuple(line.removeprefix("+++ b/") for line in lines if line.startswith("+++ b/"))

    def apply(self, files: dict[str, str]) -> None:
        """Changes `files` (path -> text) in place."""
        if self.folder is None:
            assert self.old in files[self.path], self.path
            files[self.path] = files[self.path].replace(self.old, self.new, 1)
            return
        alone = {**os.environ, "GIT_DIR": "/dev/null"}
        with tempfile.TemporaryDirectory(prefix="rig-bench-") as name:
            for path in self.paths:
                (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(name) / path).write_text(files[path], encoding="utf-8")
            for patch in sorted(self.folder.glob("*.patch")):
                subprocess.run(["git", "apply", str(patch)], cwd=name, check=True, env=alone)
            files |= {path: (Path(name) / path).read_text(encoding="utf-8") for path in self.paths}


@dataclass(frozen=True, slots=True)
class BisectCase:
    """A history and the question about it. From `culprit` on `edit` is in, from `odd[0]` to `odd[1]` also `other`. With
    `merged` the commits around the culprit are a branch of their own. `config`: lines that the kernels are built with
    and without which the fault does not show; such a case boots, and runs no further suite."""

    name: str
    culprit: int
    edit: CommitEdit
    question: tuple[str, ...]
    options: tuple[str, ...] = (*TESTED, *ONE)
    odd: tuple[int, int] = (0, 0)
    other: CommitEdit = field(default_factory=CommitEdit)
    merged: bool = False
    config: tuple[str, ...] = ()


_PARENT = "SYSCALL_DEFINE0(getppid)\n{\n\tint pid;\n"
BOOTED = ("--arch", "x86_64", "--abi", "x86_64", "--suite", "boot")
OPTION = "CONFIG_CRC64"
LEAVES = (
    *(f"CONFIG_NLS_CODEPAGE_{page}" for page in (
        437, 737, 775, 850, 852, 855, 857, 860, 861, 862, 863, 864, 865, 866, 869, 874, 932, 936, 949, 950, 1250, 1251,
    )),
    *(f"CONFIG_NLS_ISO8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13)),
    "CONFIG_NLS_KOI8_R", "CONFIG_NLS_ASCII", "CONFIG_NLS_UTF8", "CONFIG_CRC4", "CONFIG_CRC7", "CONFIG_CRC8",
    "CONFIG_CORDIC", "CONFIG_PRIME_NUMBERS",
)  # fmt: skip
"""Forty options of 5.10 that the rig's kernel has not, that depend on nothing which is not there, and that build
little."""
TOGETHER = ("CONFIG_NLS_KOI8_R", "CONFIG_CORDIC")


def warns_under(*options: str) -> CommitEdit:
    """A kernel that warns while it boots where all these options are on; without any, always."""
    condition = " && ".join(f"IS_ENABLED({option})" for option in options) or "1"
    lines = "static int __init rig_warns(void)\n{\n\tWARN_ON(%s);\n\treturn 0;\n}\nlate_initcall(rig_warns);\n\n"
    return CommitEdit(None, "kernel/sys.c", _PARENT, lines % condition + _PARENT)


def _edit(entry: EditEntry) -> CommitEdit:
    return CommitEdit(SERIES / entry.series if entry.series else None, entry.path, entry.old, entry.new)


CASES = (
    *(
        BisectCase(
            entry.name, entry.culprit, _edit(entry.edit), entry.question, entry.options or (*TESTED, *ONE),
            entry.odd, _edit(entry.other), entry.merged,
        )
        for entry in subject().histories
    ),
    BisectCase(
        "option", 27, warns_under(OPTION), ("--splat", "WARNING at kernel/sys.c*"), BOOTED, config=(f"{OPTION}=y",),
    ),
)  # fmt: skip
PAIR = BisectCase("pair", COMMITS - 1, warns_under(*TOGETHER), ("--splat", "WARNING at kernel/sys.c*"), BOOTED)
"""Not a range but two configurations of its last commit: they differ in LEAVES, and TOGETHER is the answer."""


@dataclass(frozen=True, slots=True)
class HistoryRepo:
    """A repository; `commits` are ids from the good end (the kernel as it is) to the bad one."""

    folder: Path
    commits: tuple[str, ...]
    culprit: str


def store() -> tuple[Path, str]:
    """The rig's store and the commit of 5.10 in it, imported if need be."""
    command = [str(ROOT / "rig.py"), "check", "--source", SOURCE, "--series", "none", "--dry-run", "--quiet"]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    words = next(line for line in shown.splitlines() if " worktree add " in line).split()
    return cache("git") / "store.git", words[-1]


def make(case: BisectCase, folder: Path) -> HistoryRepo:
    """The history of a case as a bare repository in `folder`, which borrows the store's objects. No two are alike, so
    that no kernel of it is built yet."""
    git_dir, base = store()
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    (folder / "objects" / "info" / "alternates").write_text(f"{git_dir}/objects\n", encoding="utf-8")
    paths = {*FILES, *case.edit.paths, *(case.other.paths if case.odd[1] else ())}
    files = {path: _git(folder, "show", f"{base}:{path}") for path in sorted(paths)}
    origin = int(time.time())
    script = "".join(_commit(case, number, files, base, origin) for number in range(1, COMMITS))
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input=script.encode(), check=True)
    listed = _git(folder, "rev-list", "--reverse", "--topo-order", f"{base}..refs/heads/main").split()
    _git(folder, "symbolic-ref", "HEAD", "refs/heads/main")
    culprit = _git(folder, "log", "--format=%H", f"--grep=^kernel: step {case.culprit:02}$", "main").strip()
    return HistoryRepo(folder, (base, *listed), culprit)


def _commit(case: BisectCase, number: int, files: Mapping[str, str], base: str, origin: int) -> str:
    """One commit for `git fast-import`: a new constant above `origin`, and what the case says of this number."""
    now = dict(files)
    if number >= case.culprit:
        case.edit.apply(now)
    if case.odd[0] <= number <= case.odd[1]:
        case.other.apply(now)
    for step in range(1, number + 1):
        now[FILES[step % len(FILES)]] += f"\nconst int __used rig_step_{step} = {origin + step};\n"
    branch, parent, extra = "main", f"from {base}\n" if number == 1 else "", ""
    if case.merged:
        first, last = case.culprit - 4, case.culprit + 4
        if first <= number <= last:
            branch = "topic"
            parent = "from refs/heads/main\n" if number == first else ""
        elif number == last + 1:
            extra = "merge refs/heads/topic\n"
    author = "Rig <rig@example.org>"
    message = f"kernel: step {number:02}\n\nSigned-off-by: {author}\n"
    who = f"{author} {1600000000 + 3600 * number} +0000"
    text = f"commit refs/heads/{branch}\nauthor {who}\ncommitter {who}\n"
    text += f"data {len(message)}\n{message}{parent}{extra}"
    for path, content in now.items():
        data = content.encode()
        text += f"M 100644 inline {path}\ndata {len(data)}\n{content}\n"
    return f"{text}\n"


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout
