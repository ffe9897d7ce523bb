# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels on their way from the job that built them to those that boot them, as a folder that GitLab keeps.

A build keeps its name, the digest of all that it was made from, so a job takes one that fits or makes its own. Objects
stay behind: they are ten times as large, and no guest needs them.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from ci.model.results import Run
from kernels.binary.size import SizeError, measure_change
from kernels.build.store.build_store import BuildStore
from kernels.build.store.manifest import Build
from kernels.sandbox.room import fixed_paths
from util.errors import MachineError
from util.files.atomic import write_atomic
from util.stop import Stop

REQUESTS = "requests.txt"
"""The names under which a run looks for a build (`kernels.build.store.build_store`)."""


def pack(run: Run, target: Path) -> tuple[int, int]:
    """Copies the kernels of a run into `target/<key>`. Returns how many there are, and their bytes. Raises
    MachineError."""
    store = BuildStore()
    _compare(run, store)
    keys = sorted({build.key for build in run.builds if build.ok})
    size = 0
    try:
        for key in keys:
            folder = target / key
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_atomic(folder / REQUESTS, "".join(f"{name}\n" for name in store.requests_of(key)))
            for path in store.folder(key).iterdir():
                if path.is_file():
                    shutil.copy2(path, folder / path.name)
                    size += path.stat().st_size
    except OSError as error:
        raise MachineError(f"{target}: the kernels cannot be copied: {error}") from None
    return len(keys), size


def _compare(run: Run, store: BuildStore) -> None:
    """Notes beside each kernel whether it is base's, as long as the objects that say so are there: then one guest
    speaks for both."""
    base: dict[tuple[str, str], Build] = {}
    for item in run.builds:
        manifest = store.load(item.key) if item.ok else None
        if manifest is None:
            continue
        build = manifest.build(store.folder(item.key), cached=True)
        if item.variant == run.variants[0].name:
            base[item.arch, item.flavour] = build
        elif (other := base.get((item.arch, item.flavour))) and fixed_paths(build.sandbox):
            with suppress(SizeError):
                measure_change(other, build)


def unpack(source: Path) -> int:
    """Takes every kernel below `source` into the cache of builds, each only if its digests agree. Returns how many were
    taken; what is there already stays. Raises MachineError."""
    store, taken = BuildStore(), 0
    for path in sorted(source.glob(f"**/{REQUESTS}")):
        try:
            requests = path.read_text(encoding="ascii").split()
            taken += store.take(path.parent, requests, Stop())
        except (OSError, UnicodeDecodeError) as error:
            raise MachineError(f"{path.parent}: the kernel cannot be taken: {error}") from None
    return taken
