# SPDX-License-Identifier: GPL-2.0-or-later
"""A file out of a Debian package: real apt on a small signed archive, in the place of the host's."""

from pathlib import Path

import pytest

from initramfs.busybox import busybox, is_static
from initramfs.packages import package_file
from tests.faketree import Events, write_files
from tests.kernels.source.test_source_debian import Archive, archive, key
from util.errors import MachineError
from util.events import Phase
from util.stop import Stop

__all__ = ["archive", "key"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def offer(archive: Archive, version: str, **files: str) -> None:
    build = archive.top / f"build-{version}"
    write_files(build, {name.replace("__", "/"): text for name, text in files.items()})
    archive.pack("old", version, "some-tool", build)
    archive.publish("old-security")


def test_the_newest_version_is_fetched_once(archive: Archive) -> None:
    offer(archive, "1.0", bin__tool="first")
    offer(archive, "1.1", bin__tool="second")
    events = Events()
    found = package_file("some-tool", "amd64", "bin/tool", events, Stop())
    assert found.read_text() == "second"
    assert events.steps() == ["debian some-tool:amd64"]
    assert package_file("some-tool", "amd64", "bin/tool", events, Stop()) == found
    assert len(events.steps()) == 1
    assert events.texts(Phase.DONE) == ["some-tool_1.1_all.deb"]


def test_a_file_may_have_moved_below_usr(archive: Archive) -> None:
    offer(archive, "2.0", usr__bin__tool="moved")
    assert package_file("some-tool", "amd64", "bin/tool", Events(), Stop()).read_text() == "moved"


@pytest.mark.parametrize(
    ("package", "words"), [("some-tool", "holds no bin/other"), ("no-such-tool", "no Debian mirror")]
)
def test_what_cannot_be_had_is_the_machines_fault_and_leaves_nothing(
    archive: Archive, package: str, words: str
) -> None:
    offer(archive, "1.0", bin__tool="first")
    with pytest.raises(MachineError, match=words):
        package_file(package, "amd64", "bin/other", Events(), Stop())
    assert not list(archive.top.parent.joinpath("cache").rglob("*.part"))


def test_a_host_without_keys_is_told_which_package_has_them(archive: Archive) -> None:
    offer(archive, "1.0", bin__tool="first")
    (archive.top / "keyring.gpg").unlink()
    with pytest.raises(MachineError, match="a-keyring"):
        package_file("some-tool", "amd64", "bin/tool", Events(), Stop())


def test_only_a_program_without_a_loader_is_static(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("#!/bin/sh\n")
    assert not is_static(tmp_path / "text")
    assert not is_static(tmp_path / "absent")
    assert not is_static(Path("/bin/ls"))


def test_the_hosts_own_static_busybox_is_taken_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    from configs.loader import load_arch

    monkeypatch.setattr("initramfs.busybox.is_static", lambda _path: True)
    monkeypatch.setattr("os.uname", lambda: type("Uname", (), {"machine": "x86_64"}))
    assert busybox(load_arch("x86_64"), Events(), Stop()) == Path("/bin/busybox")
    nameless = load_arch("aarch64").model_copy(update={"debian_arch": ""})
    with pytest.raises(MachineError, match="debian_arch"):
        busybox(nameless, Events(), Stop())
