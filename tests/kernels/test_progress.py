# SPDX-License-Identifier: GPL-2.0-or-later
"""The number of targets that a progress display starts with."""

from pathlib import Path

import pytest

from kernels.build.progress import estimate_targets

MAKEFILE = """\
# obj-y += commented.o
obj-y := one.o \\
\ttwo.o sub/
obj-$(CONFIG_ON) += three.o big.o
obj-$(CONFIG_OFF) += four.o
big-objs := b1.o b2.o b3.o
big-$(CONFIG_ON) += b4.o
ifeq ($(CONFIG_OFF),y)
obj-y += five.o
else
obj-y += six.o
endif
ifndef CONFIG_ON
obj-y += seven.o
endif
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "kernel/sub").mkdir(parents=True)
    (tmp_path / "kernel/Makefile").write_text(MAKEFILE)
    (tmp_path / "kernel/sub/Makefile").write_text("obj-y += x.o ../../kernel/\n")
    return tmp_path


def test_counts_what_is_on(tree: Path) -> None:
    # kernel: its archive, one, two, three, b1 to b4, six; sub: its archive, x
    assert estimate_targets(tree, "x86", {"ON": "y"}) == 11 + 140
    # kernel: its archive, one, two, six, seven; sub: its archive, x
    assert estimate_targets(tree, "x86", {}) == 7 + 140


def test_no_kernel_no_estimate(tmp_path: Path) -> None:
    assert estimate_targets(tmp_path, "x86", {}) == 0
