# SPDX-License-Identifier: GPL-2.0-or-later
"""Which targets of a tree run here: the tree's own list, and the table of what some of them need."""

from pathlib import Path

import pytest

from configs.loader import load_arch
from testcases.registry import find_suite
from testcases.selftests import needs
from testcases.selftests.needs import Need, listed, offers, table, unmet
from testcases.suite import OfferingSuite
from tests.faketree import write_files
from util.errors import UserError

TREE: dict[str, str | bytes] = {
    "tools/testing/selftests/Makefile": "TARGETS += futex\nTARGETS += x86 # a word\nTARGETS += bpf $(MORE)\n"
    "TARGETS_HOTPLUG = cpu-hotplug\n",
    **{
        f"tools/testing/selftests/{name}/Makefile": "include ../lib.mk\n"
        for name in ("futex", "x86", "bpf", "cpu-hotplug", "powerpc/mm")
    },
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_files(tmp_path, TREE)
    return tmp_path


def test_the_trees_list_is_that_of_its_makefile(tree: Path) -> None:
    assert listed(tree) == {"futex", "x86", "bpf"}
    assert listed(tree / "nowhere") == frozenset()


def test_every_target_runs_or_says_what_it_needs(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Need(kind="toolchain", reason="a compiler for BPF", targets=("bpf",), command="no-such-compiler")
    other = Need(kind="architecture", reason="of x86", targets=("x86*",), archs=("x86_64",))
    third = Need(kind="architecture", reason="of powerpc", targets=("powerpc*",))
    monkeypatch.setattr(needs, "table", lambda: (entry, other, third))
    found = {offer.topic: offer.kind for offer in offers(tree, load_arch("x86_64"))}
    assert found == {
        "bpf": "toolchain", "cpu-hotplug": "by name", "futex": "", "powerpc/mm": "architecture", "x86": "",
    }  # fmt: skip
    assert {offer.topic: offer.kind for offer in offers(tree, load_arch("aarch64"))}["x86"] == "architecture"
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/it")
    assert unmet("bpf", load_arch("x86_64")) is None


def test_a_target_runs_where_the_file_is_that_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = tmp_path / "firmware.fd"
    entry = Need(kind="tool", reason="firmware that QEMU starts", targets=("x86",), file=str(firmware))
    monkeypatch.setattr(needs, "table", lambda: (entry,))
    assert unmet("x86", load_arch("x86_64")) is entry
    firmware.touch()
    assert unmet("x86", load_arch("x86_64")) is None


def test_tests_of_an_architecture_run_there() -> None:
    """Read from the table: what is named after an architecture that the rig builds is not said to be of another one."""
    kinds = {
        arch: unmet(target, load_arch(arch)) for arch, target in (("riscv64", "riscv/mm"), ("aarch64", "arm64/fp"))
    }
    assert kinds == {"riscv64": None, "aarch64": None}
    other = unmet("riscv/mm", load_arch("x86_64"))
    assert other and other.kind == "architecture" and "riscv" in other.reason


def test_the_table_says_why_in_a_sentence() -> None:
    assert all(need.targets and len(need.reason.split()) > 3 for need in table())
    suite, _topic = find_suite("selftests")
    assert isinstance(suite, OfferingSuite)


def test_a_kind_that_nobody_knows_is_a_mistake_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "needs.yaml"
    path.write_text("needs:\n  - {kind: luck, reason: none, targets: [a]}\n")
    monkeypatch.setattr(needs, "FILE", path)
    table.cache_clear()
    try:
        with pytest.raises(UserError, match=r"needs.yaml:2: needs.0.kind"):
            table()
    finally:
        table.cache_clear()
