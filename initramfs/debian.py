# SPDX-License-Identifier: GPL-2.0-or-later
"""One file out of a Debian package of any architecture, without privileges and with signatures checked."""

from pathlib import Path

from configs.debian import load_debian
from util.apt import arch_suites
from util.children.program import run
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.files.cached import cached_folder
from util.paths import cache
from util.stop import Stop


def package_file(package: str, debian_arch: str, member: str, emit: Listener, stop: Stop) -> Path:
    """The file `member` (`bin/busybox`) of the newest `package` that the host's own releases have for `debian_arch`, or
    the first of `configs/debian.yaml` that has the architecture.

    Fetched once and kept in the cache until `clean`. Raises MachineError (no mirror, no such package or file), Stopped.
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

    unpacked = cached_folder(parent, f"{package}_{debian_arch}", stop, fetch, emit, step)
    found = [path for path in (unpacked / member, unpacked / "usr" / member) if path.is_file()]
    if not found:
        raise MachineError(f"{package} of {debian_arch} holds no {member}")
    return found[0]
