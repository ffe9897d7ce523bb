# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts a build from the objects of another one, so that make rebuilds exactly what a clean build would differ in.

The rule that makes it sound needs no time stamp from anybody else:

1. The objects of a *finished* build are all up to date with its tree. They are copied (not hard-linked: objtool,
   sorttable and recordmcount write into objects in place) and all get the same time T, later than every file of the
   checkout. Nothing is newer than anything else, so make would rebuild nothing.
2. Every source file that differs between the two trees appears in the build as a private copy with a time after T,
   mounted over the checkout's. Make and kbuild then do what they do after an edit: kbuild also compares command lines
   and configuration symbols.
3. What an edit can do and kbuild cannot see is done here: see `surgery`. Changes of the build system start clean.

A build that starts so and fails after surgery is built again clean before anybody hears of it.
"""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernels.build.store.build_store import BuildStore
from kernels.build.store.manifest import Manifest
from kernels.source.store import Changes, Store
from util.errors import MachineError
from util.paths import called_as

_MAX_CHANGES = 400  # files; each costs a mount, and beyond this a clean build is hardly slower
_IRRELEVANT = re.compile(
    r"Documentation/(?!.*Kconfig)|LICENSES/|tools/(testing|perf|bpf|virtio)/|samples/|MAINTAINERS$|CREDITS$|\."
)
_BUILD_SYSTEM = re.compile(
    r"(Makefile|Kbuild)$|scripts/|tools/|arch/[^/]+/(Makefile|Kbuild)|arch/[^/]+/(tools|boot)/.*Makefile|.*\.(sh|pl|py|awk|sed|tc)$"
)
_NEVER_ANOTHER = ("Makefile", "scripts")
"""Where two trees differ in one of these, a build of one does not start from the other's."""
_MAKEFILE = re.compile(r"(.*/)?(Makefile|Kbuild)[^/]*$")
_LINKED = ("vmlinux", ".tmp_vmlinux", "System.map")  # large, and linked again after any change
_KCONFIG_INPUT = re.compile(r".*\.(c|h|S|rst|txt|lds|dts|dtsi)$")


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """A build to start from, and what differs: relevant changes only."""

    manifest: Manifest
    changes: Changes

    @property
    def same_config_inputs(self) -> bool:
        """Whether the configuration of this build is that of the new one, if the same was asked for."""
        return all(status == "M" and _KCONFIG_INPUT.match(path) for status, path in self.changes)

    @property
    def risky(self) -> bool:
        """Whether `surgery` had something to do: such a build is not believed when it fails."""
        return any(status != "M" or _MAKEFILE.match(path) for status, path in self.changes)


def relevant(changes: Changes) -> Changes | None:
    """The changes that a kernel's build can see; None where they are too many or touch the build system."""
    kept = [(status, path) for status, path in changes if not _IRRELEVANT.match(path)]
    if len(kept) > _MAX_CHANGES or any(_BUILD_SYSTEM.match(path) for _, path in kept):
        return None
    return kept


def nearest(
    store: Store, builds: BuildStore, tree: str, wanted: Mapping[str, str], alike: Iterable[Manifest]
) -> StartingPoint | None:
    """Of the builds `alike` (same architecture, toolchain, recipe) that have objects, that with the least to do.

    `wanted` is what was asked for (`Manifest.wanted`)."""
    able = [manifest for manifest in alike if manifest.ok and builds.objects.has(manifest.key)]
    near = store.alike_at(tree, [manifest.tree for manifest in able], _NEVER_ANOTHER)
    changed = {other: relevant(changes) for other, changes in store.changes_to(tree, near).items()}
    starts = [
        StartingPoint(manifest, changes) for manifest in able if (changes := changed.get(manifest.tree)) is not None
    ]
    return min(starts, key=lambda start: _weight(start.changes, start.manifest.wanted, wanted), default=None)


def _weight(changes: Changes, one: Mapping[str, str], other: Mapping[str, str]) -> int:
    """A rough cost: a header, a Kconfig file or an option with another value rebuilds many objects, a C file one."""
    files = sum(1 if path.endswith((".c", ".S")) else 50 for _, path in changes)
    return files + 100 * len({name for name, _value in one.items() ^ other.items()})


def begin(
    start: StartingPoint, builds: BuildStore, source: Path, out: Path, view: Path, moment: int
) -> list[str] | None:
    """Fills `out` with the objects to start from, dated `moment` (ns), and `view` with the changed files, dated later.

    Returns the paths whose copies are to be mounted over the source, in the order of the files `view/0`, `view/1`, ...;
    None where the change holds a symbolic link or the objects have just been deleted: the build has to start clean.
    """
    present = [path for status, path in start.changes if status != "D"]
    if any((source / path).is_symlink() or not (source / path).is_file() for path in present):
        return None
    if not _copy_objects(builds.folder(start.manifest.key) / "objects", out):
        return None
    builds.objects.touch(start.manifest.key)
    surgery(out, start.changes, start.manifest.mute)
    _set_times(out, moment)
    view.mkdir()
    for index, path in enumerate(present):
        copy = view / str(index)
        shutil.copyfile(source / path, copy)
        copy.chmod((source / path).stat().st_mode & 0o777)
        os.utime(copy, ns=(moment + 1, moment + 1))
    return present


def _copy_objects(objects: Path, out: Path) -> bool:
    run = subprocess.run(
        ("cp", "-a", "--reflink=auto", str(objects), str(out)), capture_output=True, text=True, check=False
    )
    if run.returncode == 0:
        return True
    if "No space left" in run.stderr:
        raise MachineError(f"{out}: no space left on the disk; see `{called_as()} clean`")
    return False


def _set_times(folder: Path, moment: int) -> None:
    for root, dirs, files in os.walk(folder):
        for name in (*dirs, *files):
            os.utime(Path(root) / name, ns=(moment, moment), follow_symlinks=False)


def surgery(out: Path, changes: Changes, mute: Iterable[str]) -> None:
    """Deletes from copied objects what kbuild would wrongly keep.

    - A file that appears, goes away or changes its kind can change what an `#include` or a pattern rule finds: every
      target whose recorded command or dependencies name a file of this base name is made again.
    - A Makefile that changes may make a file in its folder by another rule. Targets with a recorded command are
      compared by kbuild; files without one are made again.
    - A target that printed warnings which are not known any more is made again, so that they are seen.
    """
    moved = {Path(path).name for status, path in changes if status != "M"}
    if moved:
        _forget_mentions(out, moved)
    for status, path in changes:
        if status == "A":
            forget(out, path)  # a generated file that stood where a source now is
        if _MAKEFILE.match(path) and (makefile := inside(out, path)):
            _forget_unrecorded(makefile.parent)
    for target in mute:
        forget(out, target)


def inside(out: Path, name: str) -> Path | None:
    """The path of `name` below `out`; None where it would lead out of it, by `..` or by a link that a build planted."""
    path = out / name
    folder = path.parent.resolve()
    return path if folder.is_relative_to(out.resolve()) and path.name not in ("", "..") else None


def forget(out: Path, target: str) -> None:
    """Deletes a target of the output folder, if it is one."""
    path = inside(out, target)
    if path and not path.is_dir():
        path.unlink(missing_ok=True)


def command_files(out: Path) -> Iterator[Path]:
    """Every `.<target>.cmd` file below `out`: kbuild's record of a target's command and dependencies."""
    for root, _dirs, files in os.walk(out):
        for name in files:
            if (
                name.startswith(".")
                and name.endswith(".cmd")
                and stat.S_ISREG((path := Path(root) / name).lstat().st_mode)
            ):
                yield path


def _target(record: Path) -> Path:
    return record.with_name(record.name[1:].removesuffix(".cmd"))


def _forget_mentions(out: Path, names: set[str]) -> None:
    pattern = re.compile(r"(?:^|[\s/:;\"'(])(?:" + "|".join(map(re.escape, names)) + r")(?:[\s:;\"')]|$)", re.MULTILINE)
    for record in command_files(out):
        if pattern.search(record.read_text(errors="replace")):
            record.unlink()
            _target(record).unlink(missing_ok=True)


def _forget_unrecorded(folder: Path) -> None:
    if not folder.is_dir():
        return
    recorded = {record.name[1:].removesuffix(".cmd") for record in folder.glob(".*.cmd")}
    for path in folder.iterdir():
        if not path.is_dir() and path.name not in recorded and not path.name.endswith(".cmd"):
            path.unlink()


def prune(out: Path) -> None:
    """Deletes from a finished output folder the linked kernels: large, and every change links them again."""
    for path in out.iterdir():
        if path.name.startswith(_LINKED) and not path.is_dir():
            path.unlink()
