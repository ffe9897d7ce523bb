# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folders that finished builds keep, to start the next build from: sealed, looked at before use, limited."""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from kernels.build.store.manifest import Manifest
from util.events import Event, Listener, Phase, silent
from util.files.atomic import discard_beside, remove_tree
from util.files.seal import folder_digest

OBJECTS = "objects"
OBJECTS_DIGEST = "objects.sha256"

KEEP_OBJECTS = 32
"""Builds per architecture that keep their objects (50 to 150 MB each). Builds that rebuilt only a few objects lose them
first, then the least recently used."""

MIN_OWN_SHARE = 0.1
"""The share of its objects that a build made itself, from which on its objects are worth more than others'."""


class KeptObjects:
    """The objects of the builds of one store. `folder` gives the folder of a build's key; what is thrown away goes
    through the folder `work`."""

    def __init__(self, folder: Callable[[str], Path], work: Path) -> None:
        self._folder, self._work = folder, work

    def has(self, key: str) -> bool:
        return (self._folder(key) / OBJECTS).is_dir()

    def sound(self, key: str, emit: Listener = silent) -> bool:
        """Whether a build has its objects, and they are what was written (half a second for 120 MB).

        Damaged ones, and those without a digest, are thrown away, with a word.
        """
        objects, digest = self._folder(key) / OBJECTS, self._folder(key) / OBJECTS_DIGEST
        try:
            if digest.read_text(encoding="ascii").strip() == folder_digest(objects):
                return True
        except (OSError, UnicodeDecodeError):
            pass  # a file that cannot be read is as bad as one with another content
        if not objects.is_dir():
            return False  # there are none, or another rig has just deleted them
        text = f"{objects} is damaged: it has no digest, or another one; the build does not start from it"
        emit(Event("builds", Phase.NOTE, text))
        self.discard(key)
        return False

    def discard(self, key: str) -> None:
        discard_beside(self._folder(key) / OBJECTS, self._work)
        (self._folder(key) / OBJECTS_DIGEST).unlink(missing_ok=True)

    def touch(self, key: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self._folder(key) / OBJECTS)

    def drop_old(self, builds: Iterable[Manifest]) -> None:
        """Of these builds, all of one architecture, the best KEEP_OBJECTS keep their objects."""
        kept = []
        for manifest in builds:
            path = self._folder(manifest.key) / OBJECTS
            if path.is_dir():
                own_enough = manifest.objects_built > MIN_OWN_SHARE * manifest.objects_total
                kept.append((own_enough, path.stat().st_mtime, manifest.key))
        newest = max((time for _, time, _ in kept), default=0.0)
        # The newest stays whatever it cost: the next revision of its series starts from it.
        kept.sort(key=lambda item: (item[1] == newest, *item[:2]), reverse=True)
        for _, _, key in kept[KEEP_OBJECTS:]:
            self.discard(key)


def seal_objects(made: Path) -> None:
    """Writes the digest of a build's objects; those that a series made unreadable are not kept."""
    objects = made / OBJECTS
    if objects.is_dir():
        try:
            (made / OBJECTS_DIGEST).write_text(f"{folder_digest(objects)}\n")
        except PermissionError:
            remove_tree(objects)
