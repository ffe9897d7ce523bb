# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole runs of `rig.py check` without a real kernel: what is real, what is not, and how a scene is written.

Real are the rig from its command line to its exit status, git, make, the compiler, the sandbox and the suite
`selftests`. The kernel is the one in miniature (`tests/fakekernel`) with two selftest programs, and QEMU is
`tests.scenes.player`, which does what the kernel image tells it to: a scene is a series whose patch changes that text.
"""

import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from ci.model.results import Run
from ci.model.verdicts import Comparison
from configs.loader import load_arch
from guests.run import accel, qemu, run
from guests.run.guest_state import Deadlines
from testcases.seccomp import CONFIG
from tests import measured
from tests.command import USER, rig_here
from tests.faketree import commit, git, write_files
from tests.kernels.lab import FAKE
from tests.testcases.selftree import LIB, SELFTESTS
from util.paths import CONFIGS, ROOT

SUITE = "selftests/seccomp"
"""The one target of which the rig knows that it needs no busybox."""
FOLDER = "tools/testing/selftests/seccomp"
HASTE = Deadlines(first_byte=8.0, boot=8.0, lifeless=1.0, grace=0.2, farewell=1.0, total=20.0)
"""Deadlines of a test's patience, in place of the usual ones."""
CHECKPATCH = """\
#!/usr/bin/perl
# a stand-in for the kernel's script: it complains of one word
my $found = 0;
for my $file (grep { !/^--/ } @ARGV) {
    open(my $mail, '<', $file) or die;
    while (<$mail>) {
        if (/^\\+.*UGLY/) { print "$file:$.: WARNING:UGLY_WORD: an ugly word\\n"; $found = 1; }
    }
}
exit $found;
"""
HEADERS = """
headers_install:
	mkdir -p $(INSTALL_HDR_PATH)/include/linux $(INSTALL_HDR_PATH)/include/asm
	cp $(srctree)/include/uapi/linux/*.h $(INSTALL_HDR_PATH)/include/linux
	cp $(srctree)/arch/$(SRCARCH)/include/uapi/asm/*.h $(INSTALL_HDR_PATH)/include/asm
"""
PLAYED = f"""\
#!/bin/sh
unset {measured.VARIABLE}
PYTHONPATH={ROOT} exec {sys.executable} -S -P {Path(__file__).with_name("player.py")} "$@"
"""
PROGRAM = '#include <stdio.h>\nint main(void) { puts("played by the fake QEMU"); return 0; }\n'
SIGNED = "Signed-off-by: Jörg Tester <joerg@example.org>"
Files = Mapping[str, str | bytes]


def says(scene: str) -> dict[str, str]:
    """The file by which a kernel tells the fake QEMU what to play."""
    return {"init/scene.c": f'/* a scene */\nconst char scene[] = "<scene>{scene}</scene>";\n'}


def programs(*names: str) -> dict[str, str]:
    """The selftests of a tree."""
    makefile = f"TEST_GEN_PROGS := {' '.join(names)}\ninclude ../lib.mk\n"
    return {f"{FOLDER}/Makefile": makefile} | {f"{FOLDER}/{name}.c": PROGRAM for name in names}


def write_tree(folder: Path) -> None:
    """The kernel in miniature as a repository with the tag `base`."""
    shutil.copytree(FAKE, folder)
    selftests = {name: text for name, text in SELFTESTS.items() if "/selftests/good/" not in name}
    write_files(folder, {**selftests, **programs("one", "two"), **says(""), "scripts/checkpatch.pl": CHECKPATCH})
    (folder / FOLDER).parent.joinpath("lib.mk").write_text(LIB)
    makefile = (folder / "Makefile").read_text()
    (folder / "Makefile").write_text(makefile.replace("\nbzImage: arch", f"{HEADERS}\nbzImage: arch"))
    (folder / "init/Makefile").write_text("obj-y := main.o version.o scene.o\n")
    with (folder / "Kconfig").open("a") as file:
        file.write(kconfig((folder / "Kconfig").read_text()))
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "fake: start")
    git(folder, "tag", "base")


def kconfig(known: str) -> str:
    """An entry for each symbol that the rig's own fragments and the benchmark ask of a kernel."""
    names = dict.fromkeys(name for arch in ("x86_64", "aarch64") for name in load_arch(arch).fragments)
    texts = [(CONFIGS / "fragments" / f"{name}.config").read_text() for name in names]
    asked = dict(re.findall(r"^CONFIG_(\w+)=(\S+)", "\n".join((*texts, *CONFIG)), re.MULTILINE))
    kinds = {name: "bool" if value in ("y", "n") else "int" for name, value in asked.items()}
    return "".join(
        f'\nconfig {name}\n\t{kind} "{name}"\n' for name, kind in kinds.items() if f"config {name}\n" not in known
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """One call of the rig. `folder` is where its reports are."""

    status: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def run(self) -> Run:
        return Run.model_validate_json((self.folder / "results.json").read_text(encoding="utf-8"))

    def verdict(self, test: str) -> Comparison:
        """The comparison of one test; there must be just one."""
        (found,) = [item for item in self.run.comparisons if item.test == test]
        return found

    def report(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@dataclass
class Stage:
    """A kernel tree, a profile and a call of `rig.py`. `cache` is shared by all scenes, `folder` is one scene's own."""

    folder: Path
    template: Path
    cache: Path
    capture: pytest.CaptureFixture[str]
    profile: dict[str, Any] = field(default_factory=dict)
    limits: Deadlines = HASTE
    variables: dict[str, str] = field(default_factory=dict)
    """Further variables of the environment."""

    def __post_init__(self) -> None:
        self.tree = self.folder / "linux"
        shutil.copytree(self.template, self.tree, symlinks=True)
        self.series = "none"
        self.profile = {
            "name": "scene", "description": "one scene", "source": f"git:{self.tree}@base", "archs": ["x86_64"],
            "abis": ["x86_64"], "suites": [SUITE], "rerun": 1, "size": False, "checkpatch": False,
            "layout": {"touched": False}, "compile_with": [], **self.profile,
        }  # fmt: skip

    def base(self, files: Files) -> None:
        """Changes what base is."""
        commit(self.tree, "fake: another base", files)
        git(self.tree, "tag", "--force", "base")

    def patched(self, *patches: Files) -> None:
        """Makes the series: one patch for each set of files."""
        for number, files in enumerate(patches, 1):
            commit(self.tree, f"fake: patch {number}\n\nIt changes what the scene plays.\n\n{SIGNED}", files)
        series = self.folder / "series.mbox"
        series.write_text(git(self.tree, "format-patch", "--stdout", "base..HEAD"))
        self.series = str(series)

    def environment(self) -> dict[str, str]:
        """The user's, with the fake QEMU before the real one, and the scenes' cache."""
        programs = self.folder / "bin"
        if not programs.exists():
            programs.mkdir()
            for name in ("qemu-system-x86_64", "qemu-system-aarch64"):
                qemu = programs / name
                qemu.write_text(PLAYED)
                qemu.chmod(qemu.stat().st_mode | stat.S_IXUSR)
        return USER | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_STATE_HOME": str(self.folder / "state"),
            **self.variables,
        }

    def arguments(self, *further: str) -> list[str]:
        """A `check` of the scene."""
        profile = self.folder / "scene.yaml"
        profile.write_text(yaml.safe_dump({**self.profile, "series": self.series}))
        words = ["check", "--profile", str(profile), "--out", str(self.folder / "out"), "--accel", "tcg"]
        return [*words, *(() if "--loud" in further else ("--quiet",)), *(word for word in further if word != "--loud")]

    def check(self, *further: str) -> Ended:
        """`rig.py check` to its end, in this process. `--loud` leaves out `--quiet`."""
        return self.call(*self.arguments(*further))

    def call(self, *arguments: str) -> Ended:
        """Any command of the rig, in this process, with deadlines of a test's patience."""
        qemu.qemu_version.cache_clear()  # the real one may have been asked before
        try:
            with (
                patch.object(run, "deadlines", lambda *_: self.limits),
                patch.object(accel, "REFERENCE_BOOT", 1000.0),  # so that no time of a guest is stretched
            ):
                done = rig_here(self.capture, *arguments, environment=self.environment())
        finally:
            qemu.qemu_version.cache_clear()
        return Ended(done.returncode, done.stdout, done.stderr, self.folder / "out")


def as_json(text: str) -> Run:
    """Standard output that must be one `results.json` and nothing else."""
    return Run.model_validate(json.loads(text))
