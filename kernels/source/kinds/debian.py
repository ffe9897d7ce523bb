# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's linux-source packages as sources: choosing the version, fetching it, and importing it into the store."""

import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from configs.debian import load_debian
from kernels.source.kinds.fast_import import import_tar, pipeline
from kernels.source.store import Store, require_kernel
from util.apt import Apt, Mirror, PackageVersion, compare, host_mirrors, private_apt, update
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.files.lock import locked
from util.stop import Stop

FRESH = 86400.0
"""Seconds for which the newest version of a package is remembered; asking costs an `apt-get update`."""

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_VERSION = re.compile(r"[A-Za-z0-9.+:~-]+")


def parse(text: str) -> tuple[str, str]:
    """(package, pinned version or nothing) of `linux-source-5.10[=VERSION]`. Raises UserError."""
    package, equals, version = text.partition("=")
    if not _PACKAGE.fullmatch(package) or (equals and not _VERSION.fullmatch(version)):
        raise UserError(f"debian:{text}: must be debian:PACKAGE or debian:PACKAGE=VERSION")
    return package, version


class SourcePackage:
    """One package."""

    def __init__(self, package: str, store: Store, emit: Listener, stop: Stop) -> None:
        self.package, self.store, self.emit, self.stop = package, store, emit, stop
        self.spec = self.step = f"debian:{package}"
        self.folder = store.root / "debian"
        self.record = self.folder / f"{package}.json"

    def resolve(self, pin: str, refresh: bool) -> tuple[str, str]:
        """(commit, version), downloaded and imported if need be."""
        known = self._known(pin, refresh)
        if known:
            return known
        with locked(self.folder / f"{self.package}.lock", self.stop, emit=self.emit, step=self.step):
            known = self._known(pin, refresh)  # another run may have fetched it in the meantime
            if known:
                return known
            return self._fetch(pin)

    def ref(self, version: str) -> str:
        # A `~` stands in many versions and in no ref name; `quote` lets it pass.
        return f"refs/rig/debian/{self.package}/{quote(version, safe='+').replace('~', '%7E')}"

    def imported(self) -> list[str]:
        """The versions in the store."""
        prefix = f"refs/rig/debian/{self.package}/"
        names = self.store.git("for-each-ref", "--format=%(refname)", prefix).splitlines()
        return [unquote(name.removeprefix(prefix)) for name in names]

    def _commit(self, version: str) -> str | None:
        found = self.store.run("rev-parse", "--verify", "--quiet", self.ref(version))
        return found.stdout.decode().strip() if found.status == 0 else None

    def _known(self, pin: str, refresh: bool) -> tuple[str, str] | None:
        version = pin
        if not pin and not refresh:
            try:
                record = json.loads(self.record.read_text(encoding="utf-8"))
                version = record["version"] if abs(time.time() - record["checked"]) < FRESH else ""
            except (OSError, ValueError, KeyError, TypeError):
                version = ""
        commit = self._commit(version) if version else None
        return (commit, version) if commit else None

    def _fetch(self, pin: str) -> tuple[str, str]:
        self.emit(Event(self.step, Phase.START, "looks for the newest version" if not pin else f"looks for {pin}"))
        try:
            version, deb = self._download(pin)
        except MachineError as error:
            versions = self.imported()
            if pin or not versions:
                raise
            version = max(versions, key=_Key)
            self.emit(Event(self.step, Phase.NOTE, f"goes on with {version} of an earlier run: {error}"))
            commit = self._commit(version)
            assert commit is not None
            return commit, version
        commit = self._commit(version) or self._import(deb, version)
        if not pin:
            self._remember(version)
        if deb:
            deb.unlink(missing_ok=True)
        self.emit(Event(self.step, Phase.DONE, f"{self.package} {version}"))
        return commit, version

    def _remember(self, version: str) -> None:
        new = self.record.with_suffix(f".{os.getpid()}.tmp")
        new.write_text(json.dumps({"version": version, "checked": time.time()}), encoding="utf-8")
        new.replace(self.record)

    # Where it comes from

    def _download(self, pin: str) -> tuple[str, Path | None]:
        """(version, file); no file if that version is in the store already."""
        debian = load_debian()
        groups = debian.groups(self.package)
        host = Apt()
        listed = host.offers(self.package, self.stop)
        problems: list[str] = []
        offered: list[str] = []
        for group in groups:
            found = self._pick(listed, group, pin, offered)
            if found:
                try:
                    return found.version, self._file(host, found)
                except MachineError as error:  # lists older than the mirror: ask the mirror itself
                    self.emit(Event(self.step, Phase.NOTE, str(error)))
        keys = debian.signed_by()
        mirrors = host_mirrors(self.stop)
        for group in groups:
            apt = self._private(group, mirrors, keys, problems)
            found = self._pick(apt.offers(self.package, self.stop), group, pin, offered)
            if found:
                return found.version, self._file(apt, found)
        if problems and not offered:
            raise MachineError(f"{self.spec}: {problems[0]}")
        choice = f"; offered are {', '.join(dict.fromkeys(offered))}" if offered else ""
        raise UserError(f"{self.spec}{'=' + pin if pin else ''}: no suite of configs/debian.yaml offers it{choice}")

    def _private(self, group: Sequence[str], mirrors: list[Mirror], keys: str, problems: list[str]) -> Apt:
        """An apt with the suites of the group, its lists up to date, as far as the mirror has them."""
        last = Apt()
        for mirror in _bases(mirrors):
            lines = [
                f"deb [signed-by={keys}] {uri} {suite} main"
                for suite in group
                if (uri := mirror.get(suite.endswith("-security")))
            ]
            if not lines:
                continue
            last, folder = private_apt(self.folder / "apt", lines, self.stop)
            words = update(last, folder, self.emit, self.step, self.stop)
            if not words:
                break
            problems.append(words)
            self.emit(Event(self.step, Phase.NOTE, f"{', '.join(group)}: {words}"))
        return last

    @staticmethod
    def _pick(
        offers: list[PackageVersion], group: Sequence[str], pin: str, offered: list[str]
    ) -> PackageVersion | None:
        mine = [offer for offer in offers if offer.suite in group]
        offered += [offer.version for offer in mine]
        return next((offer for offer in mine if not pin or offer.version == pin), None)

    def _file(self, apt: Apt, offer: PackageVersion) -> Path | None:
        if self._commit(offer.version):
            return None
        final = self.folder / f"{self.package}_{quote(offer.version, safe='')}.deb"
        if final.exists():
            return final
        partial = self.folder / f"{self.package}.partial"  # ours alone: the package's lock is held
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            apt.download(self.package, offer.version, partial, self.emit, self.step, self.stop).replace(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return final

    # Into the store

    def _import(self, deb: Path | None, version: str) -> str:
        assert deb is not None
        commands = [
            ["dpkg-deb", "--fsys-tarfile", str(deb)],
            ["tar", "-xO", "--wildcards", f"./usr/src/{self.package}.tar.*"],
            ["xz", "-dc"],
        ]
        with self.store.importing(self.stop, self.emit, self.step) as lock, pipeline(commands, self.spec) as stream:
            tree = import_tar(stream, self.store, self.spec, self.step, self.emit, self.stop, lock.fd)
        require_kernel(self.store, tree, self.spec)
        return self.store.adopt(tree, also=(self.ref(version),))


class _Key:
    """Debian's version order for `max`."""

    def __init__(self, version: str) -> None:
        self.version = version

    def __lt__(self, other: "_Key") -> bool:
        return compare(self.version, other.version) < 0


def _bases(mirrors: list[Mirror]) -> list[dict[bool, str]]:
    """Pairs of addresses to try, by `is it a -security suite`: the host's archives in their order."""
    plain = list(dict.fromkeys(mirror.uri for mirror in mirrors if not mirror.suite.endswith("-security")))
    security = list(dict.fromkeys(mirror.uri for mirror in mirrors if mirror.suite.endswith("-security")))
    pairs: list[dict[bool, str]] = []
    for index in range(max(len(plain), len(security))):
        pair = {}
        if plain:
            pair[False] = plain[min(index, len(plain) - 1)]
        if security:
            pair[True] = security[min(index, len(security) - 1)]
        pairs.append(pair)
    return pairs
