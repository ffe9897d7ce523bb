# SPDX-License-Identifier: GPL-2.0-or-later
"""The precision of each design: counted by hand for filters that fit into the head, and printed for a mail."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from testcases.seccomp.bpf.instruction import Program, to_raw
from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS, ARGS
from testcases.seccomp.cli.precision import WIDTH, Precision, PrecisionCount, measure, table
from testcases.seccomp.cli.precision_command import precision
from testcases.seccomp.corpus import corpus
from testcases.seccomp.edges.code import ALLOW, LD_NR, TAX, TXA, errno, jeq, ld
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.prove.facts import kernel_facts
from tests.testcases.seccomp.programs import GETPPID_REFUSED

FACTS = kernel_facts("5.10")
SIZE = 441


def member(name: str, *stack: Program, arch: str = "aarch64") -> NamedStack:
    return NamedStack(name, stack, arch=arch, abis=ARCH_ABIS[arch], origin="test")


def shares(found: Precision) -> dict[str, tuple[int, int]]:
    """(proved, cached) of each design over all ABIs."""
    totals = {count.design: found.total(count.design) for count in found.counts}
    return {name: (count.proved, count.cached) for name, count in totals.items()}


def test_what_every_design_sees() -> None:
    found = shares(measure([member("one/plain", (LD_NR, jeq(5, 0, 1), errno(3001), ALLOW))], FACTS))
    assert set(found.values()) == {(2 * (SIZE - 1), 2 * (SIZE - 1))}


def test_what_only_access_tracking_sees() -> None:
    through_x = (LD_NR, TAX, TXA, jeq(5, 0, 1), errno(3001), ALLOW)
    found = shares(measure([member("one/x", through_x)], FACTS))
    assert found["access"] == (2 * (SIZE - 1), 2 * (SIZE - 1))
    assert found["subset"] == found["merged"] == found["lazy"] == (2 * (SIZE - 1), 0)


def test_what_no_design_sees() -> None:
    found = shares(measure([member("one/argument", (ld(ARGS), jeq(7, 0, 0), ALLOW))], FACTS))
    assert set(found.values()) == {(2 * SIZE, 0)}


def test_x32_is_seen_by_the_lazy_design_only() -> None:
    counts = measure([member("one/allow", (ALLOW,), arch="x86_64")], FACTS).counts
    cached = {count.design: count.cached for count in counts if count.abi == "x32"}
    assert cached == {"access": 0, "subset": 0, "v2": 0, "lazy": SIZE, "merged": 0}


def test_what_a_kernel_exempts_is_cached_wrongly() -> None:
    """6.12 lets uretprobe of x86_64 past a filter that refuses everything."""
    counts = measure([member("one/nothing", (errno(3001),), arch="x86_64")], kernel_facts("6.12")).counts
    found = {(count.proved, count.cached, count.wrong) for count in counts if count.design == "merged"}
    assert found == {(0, 0, 1), (0, 0, 0)}
    assert all(count.wrong == 0 for count in counts if count.design == "subset")


def test_a_stack_allows_what_all_its_filters_allow() -> None:
    one, other = ((LD_NR, jeq(number, 0, 1), errno(3001), ALLOW) for number in (5, 6))
    refused: Program = ()
    found = measure([member("a/one", one), member("a/stack", one, refused, other)], FACTS)
    assert found.stacks == 2
    assert found.total("merged").proved == 2 * (SIZE - 1) + 2 * (SIZE - 2)


@pytest.mark.slow
def test_the_table_can_be_sent_as_mail() -> None:
    members = [member for member in corpus("x86_64") if member.name.endswith(("/tree", "/x86_64"))][::10]
    found = measure(members, FACTS)
    text = table(found, FACTS, "A title")
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.startswith("A title\n\n")
    assert "Cached though not always allowed: none, by any design." in text
    assert all(count.wrong == 0 and count.cached <= count.proved for count in found.counts)


def test_a_share_is_never_rounded_to_the_whole() -> None:
    counts = (
        PrecisionCount("merged", "g", "arm", 100_000, 99_999, 0),
        PrecisionCount("subset", "g", "arm", 100_000, 1, 7),
    )
    lines = table(Precision(1, counts), FACTS, "T").splitlines()
    assert next(line.split()[1:] for line in lines if line.startswith("merged ")) == ["99.9", "99.9"]
    assert next(line.split()[1:] for line in lines if line.startswith("subset ")) == ["0.1", "0.1"]
    assert lines[-1] == "Cached though not always allowed: subset 7."


def test_the_command_takes_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.bpf"
    path.write_bytes(to_raw(GETPPID_REFUSED))
    done = CliRunner().invoke(precision, ["--arch", "aarch64", str(path)])
    assert done.exit_code == 0, done.output
    assert "Filters of your own, Linux 5.10\n\n1 stacks, 2 ABIs" in done.output
    assert CliRunner().invoke(precision, ["--kernel", "2.6"]).exit_code == 2


@pytest.mark.parametrize("version", ["6.1", "7.2"])
def test_other_kernels_have_other_sizes(version: str) -> None:
    facts = kernel_facts(version)
    found = measure([member("one/allow", (ALLOW,))], facts)
    assert found.total("merged").cached == sum(facts.sizes[arch] for arch in list(facts.sizes)[-2:])
