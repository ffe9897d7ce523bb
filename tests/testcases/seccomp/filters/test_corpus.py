# SPDX-License-Identifier: GPL-2.0-or-later
"""The corpus: named for ever, taken by every kernel, and deciding what its policies say."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Program
from testcases.seccomp.bpf.interpret import execute, run
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS, RET_ALLOW, RET_KILL_THREAD
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.corpus import container, corpus
from testcases.seccomp.corpus.stacks import SIZES
from testcases.seccomp.corpus.systemd import EPERM, parse_sets, settings, syscall_sets
from testcases.seccomp.filters.libseccomp import apart, known, merged, number, together
from testcases.seccomp.filters.policy import ArgComparison, Form, Op, Policy, Rule, allow_list, deny_list, errno_action
from util.errors import MachineError
from util.paths import ROOT

ARCHS = tuple(ARCH_ABIS)


def decision(program: Program, abi: str, name: str, *args: int) -> int:
    """What a filter returns for a call of an ABI."""
    nr = number(name, abi)
    assert nr is not None
    return execute(program, Call(nr, ABIS[abi].audit_arch, args=(*args, *(0,) * (6 - len(args)))).words())


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHS)
def test_every_member_has_its_own_name_and_a_stack_that_fits(arch: str) -> None:
    members = corpus(arch)
    assert len(members) > (300 if len(ARCH_ABIS[arch]) > 1 else 200)
    assert len({member.name for member in members}) == len(members)
    for member in members:
        assert attach(member.stack) == (None,) * len(member.stack), member.name
        assert set(member.abis) <= set(ARCH_ABIS[arch]), member.name


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHS)
def test_stacks_have_the_sizes_that_their_names_say(arch: str) -> None:
    for kind in ("unit", "nested", "deny"):
        for form in Form:
            found = {member.name: member for member in corpus(arch) if member.name.startswith(f"stack/{kind}/")}
            sizes = [size for size in SIZES if f"stack/{kind}/{size}/{form}" in found]
            fewer = kind == "unit" and arch != "x86_64"  # the settings have a filter for each of three ABIs there
            assert sizes == list(SIZES[: len(sizes)])
            assert len(sizes) == len(SIZES) or (fewer and len(sizes) >= 4)
            assert all(len(found[f"stack/{kind}/{size}/{form}"].stack) == size for size in sizes)


@pytest.mark.slow
def test_another_process_makes_the_same_corpus() -> None:
    code = (
        "import hashlib; from testcases.seccomp.corpus import corpus\n"
        "print(hashlib.sha256(repr(corpus('aarch64')).encode()).hexdigest())"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(repr(corpus("aarch64")).encode()).hexdigest()


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("arch", ARCHS)
def test_both_forms_and_both_ways_of_merging_decide_alike(arch: str, form: Form) -> None:
    """A tree is no other filter than the list, and one merged filter no other than one for several ABIs."""
    policy = container.profile(arch).policy
    one = together(policy, ARCH_ABIS[arch], form)
    other = merged(dict.fromkeys(ARCH_ABIS[arch], policy), form)
    plain = together(policy, ARCH_ABIS[arch], Form.LINEAR)
    for abi in ARCH_ABIS[arch]:
        for name in ("getppid", "bpf", "mount", "clone3", "personality", "read", "ptrace", "kexec_load"):
            assert decision(one, abi, name) == decision(other, abi, name) == decision(plain, abi, name)


def test_a_tree_takes_few_steps_and_a_list_many() -> None:
    policy = container.profile("x86_64").policy
    programs = {form: apart(policy, "x86_64", form) for form in Form}
    calls = [Call(nr, ABIS["x86_64"].audit_arch) for nr in range(450)]
    steps = {form: max(run(program, call).executed for call in calls) for form, program in programs.items()}
    assert steps[Form.TREE] < 40
    assert steps[Form.LINEAR] > 200


def test_the_container_profile_says_what_it_is_known_for() -> None:
    program = together(container.profile("x86_64").policy, ARCH_ABIS["x86_64"], Form.TREE)
    for abi in ARCH_ABIS["x86_64"]:
        assert decision(program, abi, "read") == RET_ALLOW
        assert decision(program, abi, "bpf") == errno_action(1)
        assert decision(program, abi, "personality") == RET_ALLOW
        assert decision(program, abi, "personality", 3) == errno_action(38)
    assert execute(program, Call(0, ABIS["arm"].audit_arch).words()) == RET_KILL_THREAD
    admin = together(container.profile("x86_64", "admin").policy, ARCH_ABIS["x86_64"], Form.TREE)
    assert decision(admin, "x86_64", "bpf") == RET_ALLOW


SETTINGS: list[tuple[str, str, str, tuple[int, ...], int]] = [
    ("system-service", "x86_64", "read", (), RET_ALLOW),
    ("system-service", "x86_64", "mount", (), EPERM),
    ("system-service-restricted", "x86_64", "chroot", (), EPERM),
    ("not-privileged-resources", "x32", "setpriority", (), EPERM),
    ("not-privileged-resources", "x32", "read", (), RET_ALLOW),
    ("restrict-namespaces", "i386", "clone", (0x10000000,), EPERM),
    ("restrict-namespaces", "i386", "clone", (0x11,), RET_ALLOW),
    ("restrict-namespaces", "aarch64", "clone3", (), errno_action(38)),
    ("restrict-namespaces-some", "arm", "unshare", (0x10000000,), RET_ALLOW),
    ("restrict-namespaces-some", "arm", "unshare", (0x20000000,), EPERM),
    ("restrict-address-families", "x86_64", "socket", (2,), RET_ALLOW),
    ("restrict-address-families", "x86_64", "socket", (16,), errno_action(97)),
    ("restrict-address-families", "x86_64", "socket", (5,), errno_action(97)),
    ("restrict-address-families-not", "arm", "socket", (17,), errno_action(97)),
    ("restrict-address-families-not", "arm", "socket", (1,), RET_ALLOW),
    ("memory-deny-write-execute", "x86_64", "mmap", (0, 0, 6), EPERM),
    ("memory-deny-write-execute", "x86_64", "mmap", (0, 0, 5), RET_ALLOW),
    ("memory-deny-write-execute", "i386", "mmap", (), EPERM),
    ("memory-deny-write-execute", "i386", "mmap2", (0, 0, 3), RET_ALLOW),
    ("memory-deny-write-execute", "i386", "mmap2", (0, 0, 6), EPERM),
    ("memory-deny-write-execute", "arm", "mmap2", (0, 0, 6), EPERM),
    ("restrict-realtime", "aarch64", "sched_setscheduler", (0, 1), EPERM),
    ("restrict-realtime", "aarch64", "sched_setscheduler", (0, 3), RET_ALLOW),
    ("restrict-realtime", "aarch64", "sched_setscheduler", (0, 6), EPERM),
    ("lock-personality", "x86_64", "personality", (8,), EPERM),
    ("restrict-suid-sgid", "x86_64", "chmod", (0, 0o2755), EPERM),
    ("restrict-suid-sgid", "x86_64", "open", (0, 0o100, 0o4755), EPERM),
    ("restrict-suid-sgid", "x86_64", "open", (0, 0, 0o4755), RET_ALLOW),
    ("suppress-sync", "arm", "fsync", (), errno_action(0)),
]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(("name", "abi", "call", "args", "expected"), SETTINGS)
def test_settings_decide_as_systemd_does(
    name: str, abi: str, call: str, args: tuple[int, ...], expected: int, form: Form
) -> None:
    policy = settings("x86_64")[name](abi)
    assert policy is not None
    assert decision(apart(policy, abi, form), abi, call, *args) == expected


@pytest.mark.parametrize("form", Form)
def test_a_filter_of_systemd_leaves_other_architectures_alone(form: Form) -> None:
    for name, setting in settings("x86_64").items():
        policy = setting("x86_64")
        assert policy is not None
        found = execute(apart(policy, "x86_64", form), Call(0, ABIS["i386"].audit_arch).words())
        assert found == (RET_KILL_THREAD if name == "native-architecture" else RET_ALLOW), name


OPS: dict[Op, Callable[[int, int], bool]] = {
    Op.NE: lambda a, b: a != b,
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
    Op.EQ: lambda a, b: a == b,
    Op.GE: lambda a, b: a >= b,
    Op.GT: lambda a, b: a > b,
    Op.MASKED_EQ: lambda a, b: a & b == b,
}


@pytest.mark.parametrize("op", Op)
def test_comparisons_mean_what_they_say(op: Op) -> None:
    for value in (0, 1, 0x80000000, 0x123456789):
        policy = Policy(EPERM, (Rule("close", RET_ALLOW, (ArgComparison(0, op, value, value),)),))
        program = together(policy, ("x86_64",), Form.LINEAR)
        for argument in (0, 1, 0x7FFFFFFF, 0x80000000, 0x80000001, 0x123456788, 0x123456789, 0x12345678A, 1 << 63):
            found = decision(program, "x86_64", "close", argument)
            assert (found == RET_ALLOW) is OPS[op](argument, value), (op, value, argument)


def test_lists_allow_and_deny() -> None:
    allow = together(allow_list(("read",), EPERM), ("x86_64",), Form.LINEAR)
    deny = together(deny_list(("read",), EPERM), ("x86_64",), Form.LINEAR)
    assert [decision(program, "x86_64", "read") for program in (allow, deny)] == [RET_ALLOW, EPERM]
    assert [decision(program, "x86_64", "write") for program in (allow, deny)] == [EPERM, RET_ALLOW]


def test_libseccomp_knows_numbers_and_their_lack() -> None:
    assert number("read", "x32") == 0x40000000
    assert number("mmap2", "x86_64") is None
    assert known("mmap2")
    assert not known("no_such_call")


SETS = """\
@one
    # About one
    read
    @two

@two
    write
    read

@system-service
    @one
# Ungrouped System Calls (known but not included in any of the groups except @known):
#   select
"""


def test_sets_hold_what_the_sets_inside_them_hold() -> None:
    both = ("read", "write")
    assert parse_sets(SETS) == {"@one": both, "@two": ("write", "read"), "@system-service": both}
    assert "clock_settime" in syscall_sets()["@clock"]
    assert set(syscall_sets()["@io-event"]) < set(syscall_sets()["@system-service"])


BAD_SETS = ["", "@system-service\n  @x\n", "@system-service\n  @system-service\n", "  read\n@a\n"]


@pytest.mark.parametrize("text", BAD_SETS)
def test_sets_that_are_not_understood_are_said_to_be(text: str) -> None:
    with pytest.raises(MachineError, match="systemd-analyze"):
        parse_sets(text)
