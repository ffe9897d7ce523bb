# SPDX-License-Identifier: GPL-2.0-or-later
"""A private apt: it can use other suites than the host's, needs no privileges, and does not change the host.

The private configuration replaces the host's (no hooks of the host run, see apt.conf(5) on APT_CONFIG), but for what
says how to reach a mirror: proxies and the like. Signatures are checked against Debian's own keyring.
"""

import hashlib
import json
import os
import select
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from pathlib import Path

from util.children.program import Finished, end, run, start
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.stop import Stop

_TRANSPORT = ("acquire::http", "acquire::https", "acquire::ftp", "acquire::retries", "acquire::connect", "acquire::tor")


@dataclass(frozen=True, slots=True)
class PackageVersion:
    """One version of a package in one suite."""

    version: str
    suite: str


@dataclass(frozen=True, slots=True)
class Apt:
    """One configuration of apt; `env` selects it. The host's own is `Apt()`; it is only queried, never changed."""

    env: dict[str, str] = field(default_factory=dict)

    def call(self, *argv: str, stop: Stop) -> Finished:
        # Without its two cache files apt leaves no trace even when it runs as root on the host's lists.
        options = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
        return run([argv[0], *options, *argv[1:]], env={**os.environ, "LC_ALL": "C", **self.env}, stop=stop)

    def offers(self, package: str, stop: Stop) -> list[PackageVersion]:
        """The versions in the package lists that were fetched, newest first."""
        found = self.call("apt-cache", "madison", "--", package, stop=stop)
        offers = []
        for line in found.stdout.decode("utf-8", "replace").splitlines():
            columns = [column.strip() for column in line.split("|")]
            if len(columns) == 3 and columns[0] == package and columns[2].endswith("Packages"):
                offers.append(PackageVersion(columns[1], columns[2].split()[1].partition("/")[0]))
        return sorted(offers, key=newest, reverse=True)

    def download(self, package: str, version: str, folder: Path, emit: Listener, step: str, stop: Stop) -> Path:
        """The .deb file, in `folder`; apt checks its size and checksum against the signed lists."""
        words = self.download_all({package: version}, folder, emit, step, stop)
        files = list(folder.glob("*.deb"))
        if words or len(files) != 1:
            raise MachineError(f"apt cannot download {package} {version}: {words or 'no file came'}")
        return files[0]

    def download_all(self, versions: Mapping[str, str], folder: Path, emit: Listener, step: str, stop: Stop) -> str:
        """The .deb files of several packages, in `folder`; apt's error line, or nothing if all went well."""
        options = ["-q", "-o", "APT::Status-Fd={fd}", *sandbox()]
        argv = ["apt-get", *options, "download", *(f"{package}={version}" for package, version in versions.items())]
        told = next((f"{package} {version}" for package, version in versions.items()), "nothing")
        told = told if len(versions) == 1 else f"{len(versions)} packages"
        env = {**os.environ, "LC_ALL": "C", **self.env}
        return follow(argv, env, folder, lambda percent: _percent(emit, step, told, percent), stop)


def compare(a: str, b: str) -> int:
    """Debian's order of versions: negative, zero or positive."""
    if a == b:
        return 0
    return -1 if run(["dpkg", "--compare-versions", a, "lt", b]).status == 0 else 1


def _compare_offers(a: PackageVersion, b: PackageVersion) -> int:
    return compare(a.version, b.version)


newest = cmp_to_key(_compare_offers)
"""Sorts offers by Debian's order of versions."""


def sandbox() -> list[str]:
    """As root apt would change to the user `_apt`, who cannot enter a private cache folder."""
    return ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []


def _percent(emit: Listener, step: str, told: str, percent: int) -> None:
    emit(Event(step, Phase.PROGRESS, f"downloads {told}", percent, 100, "%"))


def follow(argv: Sequence[str], env: dict[str, str], folder: Path, percent: Callable[[int], None], stop: Stop) -> str:
    """Run apt to its end and hand on the percentages of its status descriptor; its error line, or nothing if all went
    well. `{fd}` in an argument becomes the descriptor's number."""
    reader, writer = os.pipe()
    log = folder / "apt.log"
    try:
        with log.open("wb") as output:
            argv = [word.replace("{fd}", str(writer)) for word in argv]
            process = start(argv, stdout=output.fileno(), stderr=output.fileno(), env=env, cwd=folder, keep=(writer,))
        try:
            os.close(writer)
            writer = -1
            _read_status(reader, percent, stop)
            process.wait()
        finally:
            end(process)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith(("E:", "W:", "Err:"))]
    log.unlink()
    failed = process.returncode != 0
    errors = [line for line in lines if line.startswith("E:")] or lines
    return (" ".join(errors[:1]) or f"{argv[0]} ended with status {process.returncode}") if failed else ""


def _read_status(reader: int, percent: Callable[[int], None], stop: Stop) -> None:
    rest, last = b"", -1
    while True:
        stop.check()
        if not select.select([reader], [], [], 0.1)[0]:
            continue
        data = os.read(reader, 4096)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            words = line.split(b":")
            if words[0] == b"dlstatus" and len(words) > 2:
                now = int(float(words[2]))
                if now != last:
                    percent(now)
                last = now


@dataclass(frozen=True, slots=True)
class Mirror:
    """An archive that the host's apt is configured for."""

    uri: str
    suite: str
    component: str
    origin: str


def host_mirrors(stop: Stop) -> list[Mirror]:
    """The host's archives that may be Debian's, those that say so first. Raises MachineError if there is none."""
    text = "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(ORIGIN)"
    mirrors: dict[Mirror, None] = {}
    # Only what was fetched names its origin; a host that never ran `apt-get update` shows its archives all the same.
    for option in ([], ["--no-release-info"]):
        argv = ["apt-get", "indextargets", *option, "--format", text, "Created-By: Packages"]
        for line in Apt().call(*argv, stop=stop).stdout.decode("utf-8", "replace").splitlines():
            uri, suite, component, origin = (line.split("\t") + [""] * 4)[:4]
            if component == "main" and not uri.startswith("cdrom:"):
                mirrors[Mirror(uri.rstrip("/"), suite, component, origin if origin == "Debian" else "")] = None
    if not mirrors:
        raise MachineError("the host's apt is configured for no Debian mirror, so no Debian package can be fetched")
    return sorted(mirrors, key=lambda mirror: mirror.origin != "Debian")


def private_apt(root: Path, lines: Sequence[str], stop: Stop) -> tuple[Apt, Path]:
    """An apt whose only sources are `lines` (sources.list(5)), and its folder below `root`."""
    text = "".join(line + "\n" for line in lines)
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:16]
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(text, encoding="utf-8")
    (folder / "status").touch()
    (folder / "apt.conf").write_text(_configuration(folder, _host_transport(stop)), encoding="utf-8")
    return Apt({"APT_CONFIG": str(folder / "apt.conf")}), folder


def host_suites(root: Path, kind: str, signed_by: str, emit: Listener, step: str, stop: Stop) -> Apt:
    """A private apt over the suites that the host is configured for, its lists fetched. `kind` is `deb` or `deb-src`,
    `signed_by` the option of that name. Raises MachineError, Stopped."""
    lines = {f"{kind} [signed-by={signed_by}] {one.uri} {one.suite} {one.component}" for one in host_mirrors(stop)}
    return _fetched(root, sorted(lines), emit, step, stop)[0]


def arch_suites(
    root: Path, arch: str, groups: Sequence[Sequence[str]], signed_by: str, emit: Listener, step: str, stop: Stop
) -> Apt:
    """The same for the packages of an architecture. Where the host's own suites do not have it, as Debian 12 has no
    riscv64, those of the first of `groups` that does come from the same mirrors. Raises MachineError, Stopped."""
    mirrors = host_mirrors(stop)
    plain = [mirror for mirror in mirrors if not mirror.suite.endswith(("-security", "-updates", "-backports"))]
    bases = list(dict.fromkeys(mirror.uri for mirror in plain))
    own = {f"{mirror.uri} {mirror.suite} {mirror.component}" for mirror in mirrors}
    others = ({f"{uri} {suite} main" for uri in bases for suite in group if "-" not in suite} for group in groups)
    first = None
    for places in (own, *others):
        lines = sorted(f"deb [arch={arch} signed-by={signed_by}] {place}" for place in places)
        apt, folder = _fetched(root, lines, emit, step, stop, arch)
        first = first or apt
        if any((folder / "state" / "lists").glob(f"*_binary-{arch}_Packages*")):
            return apt
    assert first is not None
    return first


def _fetched(
    root: Path, lines: Sequence[str], emit: Listener, step: str, stop: Stop, arch: str = ""
) -> tuple[Apt, Path]:
    """A private apt with its lists, as far as they can be had, and its folder."""
    apt, folder = private_apt(root, lines, stop)
    if arch:
        with Path(apt.env["APT_CONFIG"]).open("a", encoding="utf-8") as file:
            file.write(f"APT::Architecture {json.dumps(arch)};\nAPT::Architectures {{ {json.dumps(arch)}; }};\n")
    if words := update(apt, folder, emit, step, stop):
        emit(Event(step, Phase.NOTE, words))  # one mirror of several may fail; whether it matters shows next
    return apt, folder


def _host_transport(stop: Stop) -> list[str]:
    dump = run(["apt-config", "dump"], env={**os.environ, "LC_ALL": "C"}, stop=stop)
    lines = dump.stdout.decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.lower().startswith(_TRANSPORT)]


def _configuration(folder: Path, transport: Sequence[str]) -> str:
    settings = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::SourceList": str(folder / "sources.list"),
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::Etc::Trusted": "/dev/null",
        "Dir::Etc::TrustedParts": "/dev/null",
        "Dir::State": str(folder / "state"),
        "Dir::State::status": str(folder / "status"),
        "Dir::Cache": str(folder / "cache"),
        "Dir::Log": str(folder),
        "Acquire::Languages": "none",
        "APT::Update::Error-Mode": "any",
    }
    return "".join(f"{name} {json.dumps(value)};\n" for name, value in settings.items()) + "\n".join(transport) + "\n"


def update(apt: Apt, folder: Path, emit: Listener, step: str, stop: Stop) -> str:
    """Fetch the lists; apt's error line, or nothing if all went well.

    A frozen mirror's lists expire. They are taken all the same, with a note: the signature still holds, and an older
    kernel source than the newest is no danger to whoever wants to compare two kernels.
    """
    argv = ["apt-get", "-q", "-o", "APT::Status-Fd={fd}", *sandbox(), "update"]
    env = {**os.environ, "LC_ALL": "C", **apt.env}

    def percent(value: int) -> None:
        emit(Event(step, Phase.PROGRESS, "fetches package lists", value, 100, "%"))

    words = follow(argv, env, folder, percent, stop)
    if "expired" in words or "not valid anymore" in words:
        emit(Event(step, Phase.NOTE, f"goes on with expired package lists: {words}"))
        words = follow([*argv, "-o", "Acquire::Check-Valid-Until=false"], env, folder, percent, stop)
    return words
