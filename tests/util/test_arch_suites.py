# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of an architecture that the host's own release of Debian does not have."""

from pathlib import Path

import pytest

from util import apt
from util.apt import Mirror, arch_suites
from util.events import silent
from util.stop import Stop

GROUPS = (("bookworm", "bookworm-security"), ("trixie", "trixie-security"), ("sid",))


@pytest.mark.parametrize(
    ("having", "chosen"),
    [("bookworm", "bookworm"), ("trixie", "trixie"), ("sid", "sid"), ("none", "bookworm")],
)
def test_the_first_group_that_has_the_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, having: str, chosen: str
) -> None:
    def update(_apt: apt.Apt, folder: Path, *_rest: object) -> str:
        if f" {having} main" in (folder / "sources.list").read_text():
            (folder / "state/lists/mirror_dists_x_main_binary-riscv64_Packages.lz4").touch()
        return ""

    mirrors = [Mirror("uri", "bookworm", "main", "Debian"), Mirror("other", "bookworm-security", "main", "Debian")]
    monkeypatch.setattr(apt, "host_mirrors", lambda _stop: mirrors)
    monkeypatch.setattr(apt, "update", update)
    found = arch_suites(tmp_path, "riscv64", GROUPS, "keys", silent, "step", Stop())
    folder = Path(found.env["APT_CONFIG"]).parent
    lines = (folder / "sources.list").read_text().splitlines()
    assert lines[-1] == f"deb [arch=riscv64 signed-by=keys] uri {chosen} main"
    assert 'APT::Architecture "riscv64";' in (folder / "apt.conf").read_text()
