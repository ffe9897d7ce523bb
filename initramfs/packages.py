# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages of a guest's architecture: as archives of the image, with all that they depend on, and single files
out of one. Fetched without privileges, with signatures checked.

Each package is one archive, made once: an image is a row of them. No script of a package runs, so what these would set
up (users, caches) is not there; the links of `update-alternatives` are. Documentation is left out: it would fill the
memory of the guest.
"""

import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from configs.debian import load_debian
from initramfs.alternatives import add_alternatives
from initramfs.cpio import Entry, archive, symlink
from util.apt import Apt, arch_suites
from util.children.program import run
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.files.cached import cached_folder
from util.paths import cache
from util.stop import Stop

_LEFT_OUT = re.compile(r"usr/(share/(doc|man|locale|info|lintian|bug|zoneinfo|i18n)|lib/[^/]+/gconv|games)(/|$)")
_SPLIT = ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")
"""What stands both at the root and below `usr/`. Packages of Debian 13 put files below `usr/` only, and scripts and
programs name both places."""
MERGED = "usr-is-merged"
"""What many packages accept in place of `usrmerge`, which brings all of Perl."""
SHELL = "dash"
"""Goes with every package: busybox's shell starts busybox's own commands before those of the packages."""
_ARCHIVES = "archives-3"
"""Counts up when a package becomes another archive."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]+\Z")
_URI = re.compile(r"^'[^']+' (?P<file>\S+\.deb) ", re.MULTILINE)
_lists = threading.Lock()
_fetched: dict[tuple[str, Path], Apt] = {}


def guest_packages(names: Iterable[str], debian_arch: str, emit: Listener, stop: Stop) -> tuple[Path, ...]:
    """The archives of these packages and of what they depend on, each once, in an order that does not change.

    A name is `package`, or `package:arch` for one of another architecture than `debian_arch`.

    The versions are the newest of the host's own releases when a package was first asked for, and stay until `clean`.
    Raises MachineError (no mirror, no such package), Stopped.
    """
    needed: set[tuple[str, str]] = set()
    wanted = sorted(names)
    for full in (*wanted, SHELL) if wanted else ():
        name, _, own = full.partition(":")
        arch = own or debian_arch
        needed |= {(arch, file) for file in _closure(name, arch, emit, stop)}
    with tempfile.TemporaryDirectory(prefix="rig-packages-") as name:
        _fetch_missing(needed, Path(name), emit, stop)
        return tuple(_archive(file, arch, Path(name) / arch, stop, emit) for arch, file in sorted(needed))


def _fetch_missing(needed: Iterable[tuple[str, str]], folder: Path, emit: Listener, stop: Stop) -> None:
    """Downloads what has no archive yet, all of one architecture at once: apt reads its lists for each call."""
    missing: dict[str, dict[str, str]] = {}
    for arch, file in sorted(needed):
        if not (_place(_ARCHIVES) / _key(file, arch)).is_dir():
            package, version, _rest = file.split("_", 2)
            missing.setdefault(arch, {})[package] = unquote(version)
    for arch, versions in missing.items():
        step = f"debian packages:{arch}"
        emit(Event(step, Phase.START, f"fetches {len(versions)} packages"))
        (folder / arch).mkdir()
        if words := _apt(arch, emit, stop).download_all(versions, folder / arch, emit, step, stop):
            raise MachineError(f"apt cannot download packages for a guest: {words}")
        emit(Event(step, Phase.DONE, f"{len(versions)} packages"))


def _key(file: str, debian_arch: str) -> str:
    package, version, _rest = file.split("_", 2)
    return f"{package}_{version}_{debian_arch}"


def _closure(name: str, debian_arch: str, emit: Listener, stop: Stop) -> tuple[str, ...]:
    """The file names, `name_version_arch.deb`, of a package and all that it depends on."""
    if not _NAME.match(name):
        raise MachineError(f"{name!r} is no name of a Debian package")
    step = f"debian {name}:{debian_arch}"

    def ask(folder: Path) -> None:
        emit(Event(step, Phase.START, "looks for the package and what it depends on"))
        # No package counts as installed: what comes out is all that a system without any needs.
        options = ("-q", "-y", "--print-uris", "--no-install-recommends")
        apt = _apt(debian_arch, emit, stop)
        done = apt.call("apt-get", *options, "install", name, MERGED, stop=stop)
        if done.status:
            done = apt.call("apt-get", *options, "install", name, stop=stop)
        files = _URI.findall(done.stdout.decode("utf-8", "replace"))
        if done.status or not files:
            raise MachineError(f"no Debian mirror of this machine has {name} for {debian_arch}: {_last(done.words)}")
        (folder / "files").write_text("\n".join(files), encoding="utf-8")
        emit(Event(step, Phase.DONE, f"{len(files)} packages"))

    folder = cached_folder(_place("closures"), f"{name}_{debian_arch}", stop, ask, emit, step)
    return tuple((folder / "files").read_text(encoding="utf-8").split())


def _archive(file: str, debian_arch: str, fetched: Path, stop: Stop, emit: Listener) -> Path:
    """One package as an archive of the image, from its file in `fetched` where there is none yet."""

    def unpack(folder: Path) -> None:
        deb, root = fetched / file, folder / "root"
        if not deb.is_file():  # one that was there and is damaged
            package, version, _rest = file.split("_", 2)
            step = f"debian {package}:{debian_arch}"
            deb = _apt(debian_arch, emit, stop).download(package, unquote(version), folder, emit, step, stop)
        done = run(["dpkg-deb", "--extract", str(deb), str(root)], stop=stop)
        if done.status:
            raise MachineError(f"{file} cannot be unpacked: {done.words}")
        # No status is looked at: many packages have no such script.
        postinst = run(["dpkg-deb", "--info", str(deb), "postinst"], stop=stop)
        add_alternatives(root, postinst.stdout.decode("utf-8", "replace"))
        (folder / "package.cpio").write_bytes(archive(entries(root)))
        _remove(root)
        for left in folder.glob("*.deb"):
            left.unlink()

    return cached_folder(_place(_ARCHIVES), _key(file, debian_arch), stop, unpack, emit) / "package.cpio"


def _apt(debian_arch: str, emit: Listener, stop: Stop) -> Apt:
    """The mirrors of an architecture, their lists fetched once in a run."""
    place, step = _place("apt"), f"debian packages:{debian_arch}"
    with _lists:
        if (debian_arch, place) not in _fetched:
            suites = load_debian()
            known = (suites.default, suites.signed_by())
            _fetched[debian_arch, place] = arch_suites(place, debian_arch, *known, emit, step, stop)
        return _fetched[debian_arch, place]


def _place(name: str) -> Path:
    return cache("initramfs", "packages") / name


def entries(root: Path) -> Iterator[Entry]:
    """What a package's files become in the image, and links at the root to what they have below `usr/` only."""
    top: set[str] = set()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        mode = path.lstat().st_mode
        if _LEFT_OUT.match(name):
            continue
        if stat.S_ISDIR(mode):
            # The base image and other packages have most of them; to name one again would set its mode again.
            continue
        top.add(name)
        yield from _entry(name, path, mode)
    for name in sorted({"/".join(PurePosixPath(name).parts[:3]) for name in top if name.startswith("usr/")}):
        folder, _, child = name.removeprefix("usr/").partition("/")
        if folder in _SPLIT and child and not any(one.startswith(f"{folder}/{child}") for one in top):
            yield symlink(f"{folder}/{child}", f"/usr/{folder}/{child}")


def _entry(name: str, path: Path, mode: int) -> Iterator[Entry]:
    if stat.S_ISLNK(mode):
        yield symlink(name, str(path.readlink()))
    elif stat.S_ISREG(mode):
        yield Entry(name, mode, path.read_bytes())


def _remove(root: Path) -> None:
    """A package may hold folders that their owner cannot write."""
    for folder, _names, _files in os.walk(root):
        Path(folder).chmod(0o700)
    run(["rm", "-rf", str(root)])


def _last(text: str) -> str:
    return text.strip().rpartition("\n")[2][:200] or "apt gives no reason"


def package_file(package: str, debian_arch: str, member: str, emit: Listener, stop: Stop) -> Path:
    """The file `member` (`bin/busybox`) of `package_folder`; it may stand below `usr/`.

    Raises MachineError (no mirror, no such package or file), Stopped."""
    unpacked = package_folder(package, debian_arch, emit, stop)
    found = [path for path in (unpacked / member, unpacked / "usr" / member) if path.is_file()]
    if not found:
        raise MachineError(f"{package} of {debian_arch} holds no {member}")
    return found[0]


def package_folder(package: str, debian_arch: str, emit: Listener, stop: Stop) -> Path:
    """The unpacked files of the newest `package` that the host's own releases have for `debian_arch`, or the first of
    `configs/debian.yaml` that has the architecture.

    Fetched once and kept in the cache until `clean`. Raises MachineError (no mirror, no such package), Stopped.
    """
    parent = cache("initramfs", "debian")
    step = f"debian {package}:{debian_arch}"

    def fetch(folder: Path) -> None:
        emit(Event(step, Phase.START, "looks for the package"))
        suites = load_debian()
        apt = arch_suites(parent / "apt", debian_arch, suites.default, suites.signed_by(), emit, step, stop)
        offers = apt.offers(package, stop)
        if not offers:
            raise MachineError(f"no Debian mirror of this machine has {package} for this architecture")
        deb = apt.download(package, offers[0].version, folder, emit, step, stop)
        done = run(["dpkg-deb", "--extract", str(deb), str(folder)], stop=stop)
        if done.status:
            raise MachineError(f"{deb.name} cannot be unpacked: {done.words}")
        deb.unlink()
        emit(Event(step, Phase.DONE, deb.name))

    return cached_folder(parent, f"{package}_{debian_arch}", stop, fetch, emit, step)
