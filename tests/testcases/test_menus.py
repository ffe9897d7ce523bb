# SPDX-License-Identifier: GPL-2.0-or-later
"""Kconfig menus that whole families of targets take for granted."""

from pathlib import Path

from testcases.selftests.data import menus_of
from testcases.selftests.suite import _wishes

MENU = "CONFIG_NETDEVICES=y"


def test_a_family_gets_the_menu_that_its_configs_take_for_granted() -> None:
    assert all(MENU in menus_of(name) for name in ("net", "net/mptcp", "drivers/net/bonding"))
    assert not any(MENU in menus_of(name) for name in ("timers", "netfilter", "drivers/dma-buf"))


def test_the_kernel_is_asked_for_it_and_the_file_is_named(tmp_path: Path) -> None:
    lines = [line for fragment in _wishes(tmp_path, "net/mptcp") for line in fragment.lines]
    assert ("NETDEVICES", "y") in [(line.symbol, line.value) for line in lines]
    assert {line.where for line in lines} == {"testcases/selftests/menus.yaml"}


def test_what_a_target_says_itself_stands_behind_it(tmp_path: Path) -> None:
    """The last of two lines about one symbol holds."""
    symbols = [line.symbol for fragment in _wishes(tmp_path, "drivers/net/virtio_net") for line in fragment.lines]
    assert symbols.index("NETDEVICES") < symbols.index("DEBUG_FS")
