# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's user space headers, as `make headers_install` gives them for one architecture of one tree."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from testcases.selftests.build.inputs import digest_folder, export
from testcases.selftests.build.workshop import SandboxedFolder, first_error
from testcases.suite import SuiteError
from util.events import Event, Listener, Phase
from util.files.cached import cached_folder
from util.files.seal import folder_intact
from util.paths import cache
from util.stop import Stop

if TYPE_CHECKING:
    from kernels.source.store import Store

_SCRIPTS_LEFT_OUT = (".pl", ".py", ".rs", ".txt", "Lindent", "kernel-doc", ".scl", ".checkpatch")
"""Top-level files of scripts/ that no Makefile on the way to the headers reads, and that change often."""
_GENERATION = "1"
"""Goes into the key; changes when the way of making the headers does."""


def _objects(store: "Store", commit: str, arch: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(path, object id) of what headers_install reads: what all architectures share, and what is this one's own."""
    common = _entries(
        store, commit, "Makefile", "Kbuild", "include/uapi", "include/asm-generic/Kbuild", "scripts/basic",
        "scripts/include", "tools/include", "tools/arch", "tools/build", "tools/scripts",
    )  # fmt: skip
    scripts = store.git("ls-tree", "-z", commit, "--", "scripts/").split("\0")
    common += _named([row for row in scripts if " blob " in row and not row.endswith(_SCRIPTS_LEFT_OUT)])
    own = _entries(
        store, commit, f"arch/{arch}/include/uapi", f"arch/{arch}/include/asm/Kbuild", f"arch/{arch}/tools",
        f"arch/{arch}/entry/syscalls", f"arch/{arch}/kernel/syscalls",
    )  # fmt: skip
    listed = store.git("ls-tree", "-z", commit, "--", f"arch/{arch}/").split("\0")
    own += _named([row for row in listed if row.rpartition("/")[2].startswith(("Makefile", "Kbuild"))])
    return sorted(common), sorted(own)


def _entries(store: "Store", commit: str, *paths: str) -> list[tuple[str, str]]:
    return _named(store.git("ls-tree", "-z", commit, "--", *paths).split("\0"))


def _named(rows: list[str]) -> list[tuple[str, str]]:
    return [(row.partition("\t")[2], row.split()[2]) for row in rows if row]


def install_headers(store: "Store", commit: str, arch: str, emit: Listener, stop: Stop) -> tuple[Path, str]:
    """(folder, digest): the folder holds `linux/`, `asm/`, ...; the digest names its content, so that what is compiled
    against it is not compiled again when only the way to it changed. `arch` is the ARCH of make.

    Raises SuiteError when the tree cannot make its headers.
    """
    common, own = _objects(store, commit, arch)
    paths = [path for path, _ in (*common, *own)]
    seed = cache("testcases", "headers-common") / _key(common)

    def make(folder: Path) -> None:
        step = f"headers {arch}"
        emit(Event(step, Phase.START, f"installs the {arch} headers of {commit[:12]}", command=_command(arch, ".")))
        work = folder / "work"
        (work / "tree").mkdir(parents=True)
        export(store, commit, paths, work / "tree", stop)
        # Most headers are the same for all architectures, and each costs several processes: make finds them done.
        if seed.is_dir() and folder_intact(seed):
            shutil.copytree(seed, work / "build", symlinks=True)
        else:
            (work / "build").mkdir()
        workshop = SandboxedFolder(work, stop)
        done = workshop.run(_command(arch, workshop.inside))
        if done.status:
            raise SuiteError(f"headers_install for {arch} failed: {first_error(done.text)}")
        (work / "installed" / "include").rename(folder / "include")
        cached_folder(seed.parent, seed.name, stop, lambda part: _keep(work / "build", part), emit, step)
        shutil.rmtree(work)
        (folder / "digest").write_text(digest_folder(folder / "include"))
        emit(Event(step, Phase.DONE))

    folder = cached_folder(cache("testcases", "headers"), _key([*common, *own, ("arch", arch)]), stop, make, emit)
    return folder / "include", (folder / "digest").read_text()


def _keep(build: Path, part: Path) -> None:
    shutil.copytree(build, part, dirs_exist_ok=True, symlinks=True)


def _command(arch: str, top: str) -> tuple[str, ...]:
    jobs = f"-j{os.cpu_count() or 1}"
    folders = (f"O={top}/build", f"INSTALL_HDR_PATH={top}/installed")
    return ("make", jobs, "-C", f"{top}/tree", *folders, f"ARCH={arch}", "headers_install")


def _key(objects: list[tuple[str, str]]) -> str:
    return hashlib.sha256(repr((_GENERATION, objects)).encode()).hexdigest()[:32]
