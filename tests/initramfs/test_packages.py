# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages as archives of an image: real apt on a small signed archive, in the place of the host's."""

import stat
from pathlib import Path

import pytest

from initramfs.packages import entries, guest_packages
from tests.faketree import Events, write_files
from tests.initramfs.test_debian import offer
from tests.kernels.source.test_source_debian import Archive, archive, key
from util.errors import MachineError
from util.stop import Stop

__all__ = ["archive", "key"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("initramfs.packages.SHELL", "some-tool")


def test_a_package_is_one_archive_made_once(archive: Archive) -> None:
    offer(archive, "1.0", usr__bin__tool="first", usr__share__doc__tool__README="long")
    events = Events()
    (path,) = guest_packages(["some-tool"], "amd64", events, Stop())
    data = path.read_bytes()
    assert b"usr/bin/tool\0" in data and b"README" not in data
    assert path.parent.name == "some-tool_1.0_amd64"
    events.clear()
    assert guest_packages(["some-tool"], "amd64", events, Stop()) == (path,)
    assert events.steps() == []


def test_a_command_that_is_an_alternative_has_its_link(archive: Archive) -> None:
    script = "#!/bin/sh\nexit 1\nupdate-alternatives --install /usr/bin/tool tool /usr/bin/tool.one 10\n"
    offer(archive, "1.0", **{"usr__bin__tool.one": "one", "DEBIAN__postinst": script})
    (path,) = guest_packages(["some-tool"], "amd64", Events(), Stop())
    assert b"usr/bin/tool\0" in path.read_bytes()


def test_a_damaged_archive_is_made_again(archive: Archive) -> None:
    offer(archive, "1.0", usr__bin__tool="first")
    (path,) = guest_packages(["some-tool"], "amd64", Events(), Stop())
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(b"")
    assert guest_packages(["some-tool"], "amd64", Events(), Stop()) == (path,)
    assert path.read_bytes() == whole
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".deb"] == []


def test_a_package_of_another_architecture_is_named_with_it(archive: Archive) -> None:
    offer(archive, "1.0", usr__bin__tool="first")
    (path,) = guest_packages(["some-tool:amd64"], "amd64", Events(), Stop())
    assert path.parent.name == "some-tool_1.0_amd64"


@pytest.mark.parametrize(
    ("name", "words"), [("no-such-tool", "has no-such-tool for amd64"), ("-o x", "is no name of a Debian package")]
)
def test_what_cannot_be_had_is_the_machines_fault(archive: Archive, name: str, words: str) -> None:
    offer(archive, "1.0", usr__bin__tool="first")
    with pytest.raises(MachineError, match=words):
        guest_packages([name], "amd64", Events(), Stop())


def test_what_a_package_has_below_usr_is_found_at_the_root_as_well(tmp_path: Path) -> None:
    write_files(tmp_path, {
        "usr/bin/tool": "x", "usr/lib/x86_64-linux-gnu/libx.so.1": "x", "usr/lib64/ld.so": "x", "bin/old": "x",
        "usr/bin/old": "x", "usr/share/man/man1/tool.1": "x", "usr/lib/x86_64-linux-gnu/gconv/A.so": "x",
    })  # fmt: skip
    (tmp_path / "usr/lib/libx.so").symlink_to("x86_64-linux-gnu/libx.so.1")
    found = {entry.path: entry for entry in entries(tmp_path)}
    links = {path: entry.data.decode() for path, entry in found.items() if stat.S_ISLNK(entry.mode)}
    assert links == {
        "usr/lib/libx.so": "x86_64-linux-gnu/libx.so.1",
        "bin/tool": "/usr/bin/tool",
        "lib/libx.so": "/usr/lib/libx.so",
        "lib/x86_64-linux-gnu": "/usr/lib/x86_64-linux-gnu",
        "lib64/ld.so": "/usr/lib64/ld.so",
    }
    assert "usr/share/man/man1/tool.1" not in found
    assert not any("gconv" in path for path in found)
