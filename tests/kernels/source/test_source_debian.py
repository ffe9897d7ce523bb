# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages as sources: real apt on a small signed archive, in the place of the host's."""

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from kernels.source.resolve import Source, resolve_source
from kernels.source.store import Store
from tests.faketree import Events, make_tree, resolve
from util.errors import MachineError, UserError
from util.events import Phase
from util.stop import Stop

PACKAGE = "linux-source-9.9"


@dataclass
class Archive:
    """A Debian archive in a folder, with a key of its own. `suites` holds what each suite offers."""

    top: Path
    suites: dict[str, dict[str, str]] = field(default_factory=dict)
    """suite -> version -> the Packages paragraph"""

    def run(self, *argv: str, data: bytes | None = None) -> bytes:
        env = {**os.environ, "GNUPGHOME": str(self.top / "gnupg")}
        return subprocess.run(argv, input=data, env=env, check=True, capture_output=True, cwd=self.top).stdout

    def make_key(self) -> None:
        (self.top / "gnupg").mkdir(mode=0o700, parents=True)
        self.run("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "Archive <a@example.org>", "ed25519", "sign")
        (self.top / "keyring.gpg").write_bytes(self.run("gpg", "--export"))

    def forget_key(self) -> None:
        """Ends the agent that gpg started for the key."""
        self.run("gpgconf", "--kill", "all")

    def add(self, suite: str, version: str, kernel: str, package: str = PACKAGE, inner: str = "") -> None:
        """A package with the fake tree of one kernel version."""
        build = self.top / "build"
        shutil.rmtree(build, ignore_errors=True)
        (build / "usr/src").mkdir(parents=True)
        tree = make_tree(self.top / f"tree-{kernel}", kernel)
        with tarfile.open(build / f"usr/src/{inner or package}.tar.xz", "w:xz") as archive:
            archive.add(tree, package)
        self.pack(suite, version, package, build)

    def pack(self, suite: str, version: str, package: str, build: Path) -> None:
        """A package with the files of a folder."""
        (build / "DEBIAN").mkdir(parents=True, exist_ok=True)
        for script in (build / "DEBIAN").iterdir():
            script.chmod(0o755)
        control = f"Package: {package}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\n"
        (build / "DEBIAN/control").write_text(control)
        deb = f"pool/{package}_{version}_all.deb"
        (self.top / "pool").mkdir(exist_ok=True)
        self.run("dpkg-deb", "--build", "-Znone", str(build), deb)
        data = (self.top / deb).read_bytes()
        listed = f"{control}Filename: {deb}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        self.suites.setdefault(suite, {})[version] = listed
        self.publish(suite)

    def publish(self, suite: str, *, until: str = "") -> None:
        folder = self.top / "dists" / suite
        (folder / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
        packages = "\n".join(self.suites.get(suite, {}).values()).encode()
        (folder / "main/binary-amd64/Packages").write_bytes(packages)
        release = f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nDate: Thu, 01 Oct 2020 00:00:00 UTC\n"
        release += (
            f"Valid-Until: {until}\n" if until else ""
        ) + "Architectures: amd64 all\nComponents: main\nSHA256:\n"
        release += f" {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-amd64/Packages\n"
        signed = self.run("gpg", "--batch", "--yes", "--clearsign", "-o", "-", data=release.encode())
        (folder / "InRelease").write_bytes(signed)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = Archive(tmp_path_factory.mktemp("key"))
    archive.make_key()
    archive.forget_key()
    return archive.top


@pytest.fixture
def archive(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive that the host's apt is configured for, but whose lists it never fetched."""
    top = tmp_path / "archive"
    top.mkdir()
    shutil.copytree(key / "gnupg", top / "gnupg", ignore=shutil.ignore_patterns("S.*"))
    shutil.copy(key / "keyring.gpg", top)
    archive = Archive(top)
    host = tmp_path / "host"
    for name in ("state/lists/partial", "cache/archives/partial"):
        (host / name).mkdir(parents=True)
    (host / "status").touch()
    lines = [f"deb [signed-by={top}/keyring.gpg] copy:{top} {suite} main" for suite in ("old", "old-security")]
    (host / "sources.list").write_text("\n".join(lines) + "\n")
    settings = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::SourceList": f"{host}/sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": f"{host}/state",
        "Dir::State::status": f"{host}/status",
        "Dir::Cache": f"{host}/cache",
        "APT::Architecture": "amd64",
        "APT::Update::Pre-Invoke::": f"touch {host}/hook-ran",
    }
    (host / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    monkeypatch.setenv("APT_CONFIG", str(host / "apt.conf"))
    data = {
        "packages": {PACKAGE: [["old", "old-security"], ["new"]]},
        "default": [["old"], ["new"]],
        "keyrings": ["/nowhere", f"{top}/keyring.gpg"],
        "keyring_package": "a-keyring",
    }
    (tmp_path / "debian.yaml").write_text(yaml.safe_dump(data))
    monkeypatch.setattr("configs.debian.CONFIGS", tmp_path)
    yield archive
    archive.forget_key()
    assert not (host / "hook-ran").exists(), "a hook of the host's apt ran"
    assert list((host / "state/lists").glob("*Packages*")) == [], "the host's apt was touched"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def again(store: Store, events: Events, spec: str = f"debian:{PACKAGE}") -> Source:
    return resolve_source(spec, store, events, Stop(), refresh=True)


@pytest.mark.slow
def test_the_newest_version_of_the_suites_of_the_first_group(store: Store, archive: Archive) -> None:
    archive.add("old", "9.9.9-1", "9.9.9")
    archive.add("old-security", "9.9.10-1~deb9u1", "9.9.10")
    archive.add("old-security", "9.9.2-1", "9.9.2")
    archive.add("new", "9.9.50-1", "9.9.50")
    events = Events()
    source = resolve(f"debian:{PACKAGE}", store, events)
    assert (source.version, source.title) == ("9.9.10", f"{PACKAGE} 9.9.10-1~deb9u1")
    assert events[0].phase is Phase.START
    assert events[-1].phase is Phase.DONE
    texts = {event.text for event in events if event.phase is Phase.PROGRESS}
    assert {"fetches package lists", f"downloads {PACKAGE} 9.9.10-1~deb9u1", "imports"} <= texts
    assert list((store.root / "debian").glob("*.deb")) == [], "what is imported need not be kept"
    assert list((store.root / "debian").glob("*.partial")) == []


@pytest.mark.slow
def test_a_later_group_serves_where_the_first_has_nothing(store: Store, archive: Archive) -> None:
    archive.publish("old")
    archive.publish("old-security")
    archive.add("new", "9.9.50-1", "9.9.50")
    assert resolve(f"debian:{PACKAGE}", store).version == "9.9.50"


@pytest.mark.slow
def test_a_pinned_version(store: Store, archive: Archive) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    archive.add("old-security", "9.9.2-1", "9.9.2")
    assert resolve(f"debian:{PACKAGE}=9.9.1-1", store).version == "9.9.1"
    assert resolve(f"debian:{PACKAGE}", store).version == "9.9.2"
    with pytest.raises(UserError, match=r"=9.9.3-1: no suite .* offers it; offered are 9.9.2-1, 9.9.1-1"):
        resolve(f"debian:{PACKAGE}=9.9.3-1", store)
    shutil.rmtree(archive.top / "dists")
    assert resolve(f"debian:{PACKAGE}=9.9.1-1", store).version == "9.9.1", "in the store: nobody is asked"


@pytest.mark.slow
def test_the_newest_version_is_remembered_and_asked_for_on_demand(store: Store, archive: Archive) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    first = resolve(f"debian:{PACKAGE}", store)
    archive.add("old", "9.9.2-1", "9.9.2")
    events = Events()
    assert resolve(f"debian:{PACKAGE}", store, events) == first
    assert events == []
    newer = again(store, events)
    assert newer.version == "9.9.2"
    record = store.root / "debian" / f"{PACKAGE}.json"
    record.write_text("{broken")
    events.clear()
    assert resolve(f"debian:{PACKAGE}", store, events) == newer
    assert events != [], "asked again, not imported again"
    assert "imports" not in {event.text for event in events}


@pytest.mark.slow
def test_offline_with_something_imported(store: Store, archive: Archive) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    first = resolve(f"debian:{PACKAGE}", store)
    shutil.rmtree(archive.top / "dists")
    shutil.rmtree(store.root / "debian/apt")
    events = Events()
    assert again(store, events) == first
    assert any("goes on with 9.9.1-1 of an earlier run" in text for text in events.texts(Phase.NOTE))


@pytest.mark.usefixtures("archive")
def test_offline_with_nothing(store: Store) -> None:
    with pytest.raises(MachineError, match=f"debian:{PACKAGE}: E: "):
        resolve(f"debian:{PACKAGE}", store)
    assert store.whole_trees() == []


@pytest.mark.slow
def test_a_signature_that_is_not_debians(
    store: Store, archive: Archive, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    archive.publish("old-security")
    stranger = Archive(tmp_path_factory.mktemp("s"))  # short: gpg-agent's socket has to fit into 107 bytes
    stranger.make_key()
    stranger.run("gpgconf", "--kill", "all")
    data = yaml.safe_load((tmp_path / "debian.yaml").read_text())
    (tmp_path / "debian.yaml").write_text(yaml.safe_dump(data | {"keyrings": [f"{stranger.top}/keyring.gpg"]}))
    with pytest.raises(MachineError, match=r"E: The repository .* is not signed|NO_PUBKEY"):
        resolve(f"debian:{PACKAGE}", store)
    assert store.whole_trees() == []


@pytest.mark.slow
def test_a_package_that_was_tampered_with(store: Store, archive: Archive) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    archive.publish("old-security")
    (deb,) = (archive.top / "pool").glob("*.deb")
    data = bytearray(deb.read_bytes())
    data[-100] ^= 1
    deb.write_bytes(data)
    with pytest.raises(MachineError, match="cannot download"):
        resolve(f"debian:{PACKAGE}", store)
    assert store.whole_trees() == []
    assert [path.name for path in (store.root / "debian").iterdir() if path.suffix in (".deb", ".partial")] == []


@pytest.mark.slow
def test_lists_that_have_expired_are_taken_with_a_note(store: Store, archive: Archive) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    archive.publish("old-security")
    archive.publish("old", until="Fri, 02 Oct 2020 00:00:00 UTC")
    events = Events()
    assert resolve(f"debian:{PACKAGE}", store, events).version == "9.9.1"
    assert any("expired package lists" in text for text in events.texts(Phase.NOTE))


@pytest.mark.slow
def test_a_download_that_was_cut_off_before_the_import(store: Store, archive: Archive) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    archive.publish("old-security")
    half = store.root / "debian" / f"{PACKAGE}.partial"
    half.mkdir(parents=True)
    (half / f"{PACKAGE}_9.9.1-1_all.deb").write_bytes(b"half")
    assert resolve(f"debian:{PACKAGE}", store).version == "9.9.1"
    assert not half.exists()


@pytest.mark.slow
def test_the_hosts_own_lists_come_first(store: Store, archive: Archive, tmp_path: Path) -> None:
    archive.add("old", "9.9.1-1", "9.9.1")
    archive.publish("old-security")
    archive.add("strange", "9.9.99-1", "9.9.99")
    sources = tmp_path / "host/sources.list"
    sources.write_text(sources.read_text() + sources.read_text().splitlines()[0].replace(" old ", " strange ") + "\n")
    lists = tmp_path / "host/state/lists"
    subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "-qq", "update"], check=True)
    (tmp_path / "host/hook-ran").unlink()
    events = Events()
    assert resolve(f"debian:{PACKAGE}", store, events).version == "9.9.1", "no suite of ours offers the strange one"
    assert "fetches package lists" not in {event.text for event in events}
    archive.add("old", "9.9.2-1", "9.9.2")
    (archive.top / "pool" / f"{PACKAGE}_9.9.1-1_all.deb").unlink()
    other = Store(tmp_path / "other")
    assert resolve(f"debian:{PACKAGE}", other, events).version == "9.9.2", (
        "the host's lists are too old: ask the mirror"
    )
    assert any("cannot download" in text for text in events.texts(Phase.NOTE))
    shutil.rmtree(lists)
    (lists / "partial").mkdir(parents=True)


@pytest.mark.usefixtures("archive")
def test_a_host_without_any_mirror(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host/sources.list").write_text("")
    with pytest.raises(MachineError, match="configured for no Debian mirror"):
        resolve(f"debian:{PACKAGE}", store)
    monkeypatch.setattr("kernels.source.kinds.debian.Path.exists", lambda _path: False)
    with pytest.raises(MachineError, match="install a-keyring"):
        resolve(f"debian:{PACKAGE}", Store(tmp_path / "other"))


@pytest.mark.slow
def test_a_package_that_nobody_offers(store: Store, archive: Archive) -> None:
    for suite in ("old", "new"):
        archive.publish(suite)
    with pytest.raises(UserError, match=r"linux-source-1.2: no suite of configs/debian.yaml offers it"):
        resolve("debian:linux-source-1.2", store)


def test_a_package_without_a_kernel(store: Store, archive: Archive) -> None:
    archive.add("old", "1-1", "9.9.1", package="hello", inner="other")
    with pytest.raises(UserError, match=r"debian:hello: cannot be unpacked: tar: .*hello.tar"):
        resolve("debian:hello", store)
    assert store.whole_trees() == []


@pytest.mark.parametrize("spec", ["debian:", "debian:Linux", "debian:a b", "debian:linux-source-5.10=", "debian:x=1;2"])
def test_bad_specs(store: Store, spec: str) -> None:
    with pytest.raises(UserError, match="must be debian:PACKAGE"):
        resolve(spec, store)
