# SPDX-License-Identifier: GPL-2.0-or-later
"""The number of targets that a progress display starts with, and what it does where there are more."""

from pathlib import Path

import pytest

from kernels.build.make.expected import changed_symbols, changes_every_command, count_stale
from kernels.build.make.progress import Progress, estimate_targets
from util.events import Event

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


RECORD = "cmd_{0} := gcc -c {0}\ndeps_{0} := \\\n  {1} \\\n    $(wildcard include/config/{2}) \\\n"


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """Three objects in two folders, one of which is inside the other; as 5.10 and as 5.14 record them."""
    records = {
        "kernel/.a.o": ("include/linux/a.h", "seccomp/filter.h"),
        "kernel/.b.o": ("include/linux/b.h", "SECCOMP_FILTER"),
        "kernel/sub/.c.o": ("include/linux/a.h", "seccomp.h"),
        "kernel/.built-in.a": ("", ""),
        "kernel/sub/.built-in.a": ("", ""),
    }
    for name, (file, option) in records.items():
        path = tmp_path / "out" / f"{name}.cmd"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RECORD.format(Path(name).name[1:], file, option))
    return tmp_path / "out"


def test_what_names_a_changed_file_is_made_again_with_its_archives(objects: Path) -> None:
    assert count_stale(objects, [("M", "include/linux/b.h")], ()) == 2
    assert count_stale(objects, [("M", "include/linux/a.h")], ()) == 4
    assert count_stale(objects, [("M", "include/linux/d.h")], ()) == 0
    assert count_stale(objects, [], ()) == 0


def test_what_names_a_changed_option_is_made_again(objects: Path) -> None:
    """Options are whole words: SECCOMP is not SECCOMP_FILTER."""
    assert count_stale(objects, [], {"SECCOMP_FILTER"}) == 3
    assert count_stale(objects, [], {"SECCOMP"}) == 3
    assert count_stale(objects, [], {"SECCOMP", "SECCOMP_FILTER"}) == 5


def test_options_of_another_value() -> None:
    assert changed_symbols({"A": "y", "B": "1", "C": "y"}, {"A": "y", "B": "2", "D": "y"}) == {"B", "C", "D"}


def test_an_option_of_the_flags_changes_every_command(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "Makefile.kasan").write_text("ifdef CONFIG_KASAN_GENERIC\nendif\n")
    (tmp_path / "Makefile").write_text("KBUILD_CFLAGS-$(CONFIG_FRAME_POINTER) += -fno-omit-frame-pointer\n")
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "Makefile").write_text("obj-$(CONFIG_ONE) += one.o\n")
    assert changes_every_command(tmp_path, "x86", {"KASAN_GENERIC", "ONE"})
    assert changes_every_command(tmp_path, "x86", {"FRAME_POINTER"})
    assert not changes_every_command(tmp_path, "x86", {"ONE", "KASAN"})


def test_more_than_was_expected_is_no_full_bar() -> None:
    heard: list[Event] = []
    progress = Progress(heard.append, "build", total=2)
    for name in ("a", "b", "c"):
        progress.shown = 0.0
        progress.line(f"  CC      kernel/{name}.o")
    assert [(event.done, event.total) for event in heard] == [(1, 2), (2, 2), (3, 0)]


def test_a_slow_start_is_not_taken_for_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first target waited a minute for the configuration, and those behind it take a second each."""
    heard: list[Event] = []
    progress = Progress(heard.append, "build", total=400)
    now = [1000.0]
    monkeypatch.setattr("kernels.build.make.progress.time.monotonic", lambda: now[0])
    now[0] += 60
    for number in range(101):
        progress.line(f"  CC      kernel/n{number}.o")
        now[0] += 1
    texts = [event.text for event in heard]
    assert texts[7] == "kernel/n7.o"
    assert texts[20] == "kernel/n20.o, about 6 min left"
    assert texts[100] == "kernel/n100.o, about 5 min left"
