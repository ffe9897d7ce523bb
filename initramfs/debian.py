# SPDX-License-Identifier: GPL-2.0-or-later
"""One file out of a Debian package of any architecture, without privileges and with signatures checked."""

import json
import tempfile
from pathlib import Path

import yaml

from util.apt import Apt, host_mirrors, private_apt, update
from util.cached import cached_folder
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.paths import CONFIGS, cache
from util.program import run
from util.stop import Stop


def package_file(package: str, debian_arch: str, member: str, emit: Listener, stop: Stop) -> Path:
    """The file `member` (`bin/busybox`) of the newest `package` that the host's own releases have for `debian_arch`.

    Fetched once and kept in the cache until `clean`. Raises MachineError (no mirror, no such package or file), Stopped.
    """
    step = f"debian {package}:{debian_arch}"

    def fetch(folder: Path) -> None:
        emit(Event(step, Phase.START, "looks for the package"))
        with tempfile.TemporaryDirectory(dir=cache("initramfs", "debian"), prefix=".", suffix=".part") as name:
            part = Path(name)
            deb = _download(_apt(debian_arch, emit, step, stop), package, part, emit=emit, step=step, stop=stop)
            _extract(deb, member, part / "file", stop)
            (folder / member).parent.mkdir(parents=True, exist_ok=True)
            (part / "file").rename(folder / member)
        emit(Event(step, Phase.DONE, deb.name))

    return cached_folder(cache("initramfs", "debian"), f"{package}_{debian_arch}", stop, fetch, emit, step) / member


def _download(apt: Apt, package: str, part: Path, *, emit: Listener, step: str, stop: Stop) -> Path:
    offers = apt.offers(package, stop)
    if not offers:
        raise MachineError(f"no Debian mirror of this machine has {package} for this architecture")
    return apt.download(package, offers[0].version, part, emit, step, stop)


def _apt(debian_arch: str, emit: Listener, step: str, stop: Stop) -> Apt:
    """An apt of that architecture over the mirrors of the host, its lists fetched."""
    data = yaml.safe_load((CONFIGS / "debian.yaml").read_text(encoding="utf-8"))
    keyrings = ",".join(path for path in data["keyrings"] if Path(path).exists())
    if not keyrings:
        raise MachineError(f"Debian's keys are missing: install {data['keyring_package']}")
    mirrors = [mirror for mirror in host_mirrors(stop) if mirror.origin in ("Debian", "")]
    options = f"arch={debian_arch} signed-by={keyrings}"
    lines = sorted({f"deb [{options}] {mirror.uri} {mirror.suite} {mirror.component}" for mirror in mirrors})
    if not lines:
        raise MachineError("the host's apt is configured for no Debian mirror, so no Debian package can be fetched")
    apt, folder = private_apt(cache("initramfs", "debian", "apt"), lines, stop)
    with Path(apt.env["APT_CONFIG"]).open("a", encoding="utf-8") as file:
        file.write(
            f"APT::Architecture {json.dumps(debian_arch)};\nAPT::Architectures {{ {json.dumps(debian_arch)}; }};\n"
        )
    words = update(apt, folder, emit, step, stop)
    if words:
        emit(Event(step, Phase.NOTE, words))  # one mirror of several may be ill; whether it matters shows next
    return apt


def _extract(deb: Path, member: str, output: Path, stop: Stop) -> None:
    """Move `member` to `output`; packages of a merged-/usr release hold it under `usr/`."""
    unpacked = output.with_name("unpacked")
    done = run(["dpkg-deb", "--extract", str(deb), str(unpacked)], stop=stop)
    if done.status:
        raise MachineError(f"{deb.name} cannot be unpacked: {done.words}")
    found = [path for path in (unpacked / member, unpacked / "usr" / member) if path.is_file()]
    if not found:
        raise MachineError(f"{deb.name} holds no {member}")
    found[0].rename(output)
