# SPDX-License-Identifier: GPL-2.0-or-later
"""A finished build and its manifest.json: what was built, with what, what came out, and whether it still is that."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernels.build.diagnostics import BuildWarning
from util.files.seal import file_digest, intact, sealed_json, unsealed_json

MANIFEST = "manifest.json"
DIGESTS = "digests.json"


@dataclass(frozen=True, slots=True)
class Build:
    """A kernel build, finished or failed. A failed one is a result like any other: `ok` False, `failure` one line.

    `commands` repeat it by hand, in order; `seconds` is the wall time it took when it was made; `cached` says that
    it was made earlier. `sandbox` is what it was run in, `objects_built` how many targets it made.
    """

    key: str
    folder: Path
    ok: bool
    failure: str
    warnings: tuple[BuildWarning, ...]
    commands: tuple[tuple[str, ...], ...]
    seconds: float
    cached: bool
    sandbox: str = "bwrap"
    toolchain: str = ""
    started_from: str = ""
    objects_built: int = 0

    def output(self, name: str) -> Path:
        """The path of an output: `image`, `vmlinux`, `System.map`, `config`, `log`."""
        return self.folder / name


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of manifest.json. `sizes` are bytes by output name, `loud` the targets that printed warnings."""

    key: str
    arch: str
    tree: str
    label: str
    ok: bool
    failure: str
    warnings: tuple[BuildWarning, ...]
    loud: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    seconds: float
    sandbox: str
    toolchain: str
    started_from: str
    taint: str
    objects_built: int
    objects_total: int
    sizes: dict[str, int]
    recipe: int
    asked: str
    """A digest of architecture and kconfig requests: equal ones ask for the same configuration of the same tree."""
    wanted: dict[str, str] = field(default_factory=dict)
    """The kconfig requests by option; none where an older rig made the build."""
    told: dict[str, tuple[BuildWarning, ...]] = field(default_factory=dict)
    """The warnings by the target that printed them; none where an older rig made the build."""

    @property
    def mute(self) -> tuple[str, ...]:
        """The targets that have to be made again if their warnings are to be known."""
        return tuple(target for target in self.loud if target not in self.told)

    def build(self, folder: Path, cached: bool) -> Build:
        return Build(
            self.key,
            folder,
            self.ok,
            self.failure,
            self.warnings,
            self.commands,
            self.seconds,
            cached,
            self.sandbox,
            self.toolchain,
            self.started_from,
            self.objects_built,
        )


def read_manifest(folder: Path) -> Manifest | None:
    try:
        data: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        data["warnings"] = tuple(BuildWarning(**item) for item in data["warnings"])
        data["commands"] = tuple(tuple(command) for command in data["commands"])
        data["loud"] = tuple(data["loud"])
        data["told"] = read_told(data.get("told", {}))
        return Manifest(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def digests(folder: Path, manifest: Manifest) -> str:
    """The content of digests.json: SHA-256 of the manifest and of every output."""
    return sealed_json({name: file_digest(folder / name) for name in (MANIFEST, *manifest.sizes)})


def damage(folder: Path, manifest: Manifest) -> str:
    """The name of a file that is not what was written; nothing where all are."""
    for name, size in manifest.sizes.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return name
    try:
        digests = unsealed_json((folder / DIGESTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return DIGESTS
    names = (MANIFEST, *manifest.sizes)
    return next((name for name in names if not intact(folder / name, str(digests.get(name)))), "")


def read_told(data: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[BuildWarning, ...]]:
    """Warnings by target, as JSON holds them. Raises TypeError."""
    return {target: tuple(BuildWarning(**item) for item in items) for target, items in data.items()}
