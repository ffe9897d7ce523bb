# SPDX-License-Identifier: GPL-2.0-or-later
"""Libraries that selftests link: made for every ABI from Debian's source packages, or taken out of its packages for
those ABIs that have some, as `libraries.yaml` says."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from functools import cache as remember
from pathlib import Path
from typing import Self

from pydantic import model_validator

from configs.debian import load_debian
from configs.loader import load
from configs.model import Strict, Toolchain
from initramfs.packages import package_folder
from initramfs.toolchain import identity
from testcases.selftests.build.inputs import digest_folder
from testcases.selftests.build.workshop import SandboxedFolder, first_error
from util.apt import follow, host_suites, sandbox
from util.children.program import run
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.files.cached import cached_folder
from util.paths import cache
from util.stop import Stop

FILE = Path(__file__).with_name("libraries.yaml")


class Recipe(Strict):
    """One library. `source` is Debian's source package; `commands` run in its unpacked folder, with `{cc}`, `{ar}`,
    `{ranlib}`, `{triple}` filled in. In its place, `packages` are those of Debian that hold what is needed, `a | b`
    where releases name one otherwise. `install` maps files made or found there (those of packages are globs that match
    one each), and folders for the headers in them, to places below `include/` and `lib/`."""

    source: str = ""
    packages: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    install: dict[str, str]

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if bool(self.source) == bool(self.packages):
            raise ValueError("say either `source` or `packages`")
        return self


class _Recipes(Strict):
    libraries: dict[str, Recipe]


@remember
def recipes() -> dict[str, Recipe]:
    """By the name behind `-l`."""
    return load(FILE, _Recipes).libraries


def build_libraries(
    names: Iterable[str], toolchain: Toolchain, debian_arch: str, emit: Listener, stop: Stop
) -> tuple[tuple[Path, ...], str]:
    """Folders with `include/` and `lib/`, one for each of `names` that has a recipe, and a digest of how they were
    made. Any other name is left to the compiler: what belongs to the C library needs no recipe. `debian_arch` is the
    ABI's, empty where Debian has no packages for it: then the libraries that come from packages are not there.

    Raises MachineError when a source or package cannot be had or does not build.
    """
    folders = []
    for name in names:
        recipe = recipes().get(name)
        if recipe and recipe.source:
            folders.append(_build(name, recipe, toolchain, emit, stop))
        elif recipe and debian_arch:
            folders.append(_take(name, recipe, debian_arch, emit, stop))
    return tuple(folders), hashlib.sha256(repr([folder.name for folder in folders]).encode()).hexdigest()


def _take(name: str, recipe: Recipe, debian_arch: str, emit: Listener, stop: Stop) -> Path:
    """The library out of Debian's packages."""
    unpacked = [_first(package.split("|"), debian_arch, emit, stop) for package in recipe.packages]
    key = repr((name, recipe.model_dump(), debian_arch, [digest_folder(folder) for folder in unpacked]))

    def make(folder: Path) -> None:
        for wanted, place in recipe.install.items():
            found = [path for root in unpacked for path in sorted(root.glob(wanted))]
            if len(found) != 1:
                raise MachineError(f"{', '.join(recipe.packages)} of {debian_arch}: {len(found)} files match {wanted}")
            _install(found[0], folder / place)

    return cached_folder(cache("testcases", "libraries"), _name_of(key), stop, make, emit)


def _first(packages: Sequence[str], debian_arch: str, emit: Listener, stop: Stop) -> Path:
    """The files of the first of these that there is. What is raised where none is says why the first cannot be had."""
    first, *others = (package.strip() for package in packages)
    try:
        return package_folder(first, debian_arch, emit, stop)
    except MachineError:
        for package in others:
            with contextlib.suppress(MachineError):
                return package_folder(package, debian_arch, emit, stop)
        raise


def _name_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _install(made: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if made.is_dir():
        shutil.copytree(made, target, ignore=_all_but_headers)
    else:
        shutil.copyfile(made, target)


def _build(name: str, recipe: Recipe, toolchain: Toolchain, emit: Listener, stop: Stop) -> Path:
    archive = debian_source(recipe.source, emit, stop)
    tools = {
        "cc": " ".join((toolchain.cc, *toolchain.cflags)),
        "ar": f"{toolchain.triple}-ar",
        "ranlib": f"{toolchain.triple}-ranlib",
        "triple": toolchain.triple,
    }
    content = hashlib.sha256(archive.read_bytes()).hexdigest()
    key = repr((name, content, recipe.model_dump(), tools, identity(toolchain)))

    def make(folder: Path) -> None:
        step = f"library {name} {toolchain.triple}"
        emit(Event(step, Phase.START, f"from {archive.name}"))
        work = folder / "work"
        work.mkdir()
        unpacked = run(
            ["tar", "-x", "-f", str(archive), "-C", str(work), "--strip-components=1", "--no-same-owner"], stop=stop
        )
        if unpacked.status:
            raise MachineError(f"{archive.name} cannot be unpacked: {unpacked.words}")
        workshop = SandboxedFolder(work, stop)
        for command in recipe.commands:
            done = workshop.run([word.format(**tools) for word in command])
            if done.status:
                raise MachineError(f"{recipe.source} does not build for {toolchain.triple}: {first_error(done.text)}")
        for made, place in recipe.install.items():
            _install(work / made, folder / place)
        shutil.rmtree(work)
        emit(Event(step, Phase.DONE))

    return cached_folder(cache("testcases", "libraries"), _name_of(key), stop, make, emit)


def _all_but_headers(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".h")]


def debian_source(package: str, emit: Listener, stop: Stop) -> Path:
    """The upstream archive of a Debian source package, of the release that the host runs."""

    def fetch(folder: Path) -> None:
        step = f"debian source {package}"
        emit(Event(step, Phase.START, "looks for the package"))
        apt = host_suites(cache("testcases", "apt"), "deb-src", load_debian().signed_by(), emit, step, stop)
        options = ["-q", "-o", "APT::Status-Fd={fd}", *sandbox()]
        argv = ["apt-get", *options, "source", "--only-source", "--download-only", package]
        words = follow(argv, {**os.environ, "LC_ALL": "C", **apt.env}, folder, lambda _percent: None, stop)
        if words:
            raise MachineError(f"apt cannot fetch the source of {package}: {words}")
        emit(Event(step, Phase.DONE))

    folder = cached_folder(cache("testcases", "sources"), package, stop, fetch, emit)
    found = [path for path in sorted(folder.glob("*.orig.tar.*")) if not path.name.endswith(".asc")]
    if len(found) != 1:
        raise MachineError(f"the source package {package} holds no single upstream archive")
    return found[0]
