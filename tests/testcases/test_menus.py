# SPDX-License-Identifier: GPL-2.0-or-later
"""Kconfig menus that whole families of targets take for granted."""

from testcases.selftests.data import load_target

MENU = "CONFIG_NETDEVICES=y"


def test_a_family_gets_the_menu_that_its_configs_take_for_granted() -> None:
    assert all(MENU in load_target(name).config for name in ("net", "net/mptcp", "drivers/net/bonding"))
    assert not any(MENU in load_target(name).config for name in ("timers", "netfilter", "drivers/dma-buf"))


def test_what_a_target_says_itself_stands_behind_it() -> None:
    """The last of two lines about one symbol holds."""
    own = load_target("drivers/net/virtio_net").config
    assert own.index(MENU) < own.index("CONFIG_DEBUG_FS=y")
