# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles of container runtimes: what counts for whom, and every mistake as one line with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from testcases.seccomp.bpf.instruction import to_raw
from testcases.seccomp.bpf.seccomp_data import RET_ALLOW, RET_KILL_PROCESS, RET_TRACE
from testcases.seccomp.filters.filter_file import file_members, named_files
from testcases.seccomp.filters.formats.oci import OciProfile, read_oci
from testcases.seccomp.filters.policy import ArgComparison, Op, Rule, errno_action
from tests.testcases.seccomp.programs import GETPPID_REFUSED
from util.errors import UserError

BOTH = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


def written(folder: Path, **keys: Any) -> Path:
    path = folder / "profile.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "architectures": BOTH, **keys}))
    return path


def rule(**keys: Any) -> dict[str, Any]:
    return {"names": ["read"], "action": "SCMP_ACT_ALLOW", **keys}


def rules(folder: Path, *entries: dict[str, Any], **how: Any) -> tuple[Rule, ...]:
    return read_oci(written(folder, syscalls=list(entries)), "x86_64", **how).policy.rules


def test_a_profile_of_the_runtime_specification(tmp_path: Path) -> None:
    found = read_oci(written(tmp_path, syscalls=[rule(names=["read", "write"])]), "x86_64")
    assert found.abis == ("x86_64", "i386")
    assert found.policy.default == errno_action(1)
    assert found.policy.rules == (Rule("read", RET_ALLOW), Rule("write", RET_ALLOW))


def test_a_whole_runtime_configuration(tmp_path: Path) -> None:
    inner = json.loads(written(tmp_path, syscalls=[rule()]).read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"ociVersion": "1.0.2", "linux": {"seccomp": inner}}))
    assert read_oci(path, "x86_64").policy.rules == (Rule("read", RET_ALLOW),)


def test_arch_map_is_read_for_the_kernel_in_question(tmp_path: Path) -> None:
    entries = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_S390X", "subArchitectures": None},
    ]
    path = written(tmp_path, archMap=entries, architectures=None)
    assert read_oci(path, "x86_64").abis == ("x86_64", "x32", "i386")
    assert read_oci(path, "aarch64").abis == ("aarch64", "arm")


def test_no_architecture_means_the_native_one(tmp_path: Path) -> None:
    assert read_oci(written(tmp_path, architectures=None), "aarch64").abis == ("aarch64",)


@pytest.mark.parametrize(
    ("keys", "counts"),
    [
        ({}, True),
        ({"includes": {"caps": ["CAP_BPF"]}}, True),
        ({"includes": {"caps": ["CAP_BPF", "CAP_SYS_ADMIN"]}}, False),
        ({"excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "5.10"}}, True),
        ({"includes": {"minKernel": "5.9"}}, True),
        ({"includes": {"minKernel": "5.11"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"includes": None, "excludes": None, "args": None}, True),
    ],
)
def test_conditions(tmp_path: Path, keys: dict[str, Any], counts: bool) -> None:
    found = rules(tmp_path, rule(**keys), capabilities=frozenset({"CAP_BPF"}), kernel=(5, 10))
    assert bool(found) is counts


def test_arguments_are_all_needed_unless_one_is_named_twice(tmp_path: Path) -> None:
    one = {"index": 0, "value": 5, "valueTwo": 0, "op": "SCMP_CMP_EQ"}
    two = {"index": 1, "value": 0xF0, "valueTwo": 0x30, "op": "SCMP_CMP_MASKED_EQ"}
    first, second = ArgComparison(0, Op.EQ, 5), ArgComparison(1, Op.MASKED_EQ, 0xF0, 0x30)
    assert rules(tmp_path, rule(args=[one, two])) == (Rule("read", RET_ALLOW, (first, second)),)
    twice = rules(tmp_path, rule(args=[one, {**one, "value": 6}]))
    assert [item.comparisons for item in twice] == [(first,), (ArgComparison(0, Op.EQ, 6),)]


def test_returned_numbers(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        rule(action="SCMP_ACT_ERRNO", errnoRet=38),
        rule(action="SCMP_ACT_ERRNO", errno="EINVAL"),
        rule(action="SCMP_ACT_ERRNO"),
        rule(action="SCMP_ACT_TRACE", errnoRet=7),
        rule(action="SCMP_ACT_KILL_PROCESS"),
    )
    actions = [item.action for item in found]
    assert actions == [errno_action(38), errno_action(22), errno_action(1), RET_TRACE | 7, RET_KILL_PROCESS]
    assert read_oci(written(tmp_path, defaultErrnoRet=38), "x86_64").policy.default == errno_action(38)


def test_unknown_calls_are_left_out_and_told(tmp_path: Path) -> None:
    found: OciProfile = read_oci(written(tmp_path, syscalls=[rule(names=["read", "no_such_call"])]), "x86_64")
    assert found.policy.rules == (Rule("read", RET_ALLOW),)
    assert found.notes == ("syscalls[0].names: libseccomp knows no system call `no_such_call`; left out",)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"defaultAction": "ALLOW"}, "defaultAction: unknown action `ALLOW`"),
        ({"syscalls": [rule(action="SCMP_ACT_PASS")]}, r"syscalls\[0\].action: unknown action"),
        ({"syscalls": [rule(), rule(args=[{"index": 0, "value": 1, "op": "EQ"}])]}, r"syscalls\[1\].args\[0\].op: "),
        (
            {"syscalls": [rule(args=[{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])]},
            r"index: must be 0 to 5, not 6",
        ),
        ({"syscalls": [rule(args=[{"index": 0, "op": "SCMP_CMP_EQ"}])]}, r"args\[0\].value: is missing"),
        ({"syscalls": [rule(names=[])]}, r"syscalls\[0\].names: must name at least one"),
        ({"syscalls": [rule(errno="EWHAT")]}, "errno: SCMP_ACT_ALLOW takes no number"),
        ({"syscalls": [rule(action="SCMP_ACT_ERRNO", errno="EWHAT")]}, "errno: unknown error `EWHAT`"),
        ({"architectures": ["SCMP_ARCH_S390Y"]}, r"architectures\[0\]: unknown architecture .* did you mean"),
        ({"syscalls": "read"}, "syscalls: "),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read_oci(written(tmp_path, **keys), "x86_64")
    assert str(caught.value).startswith(f"{tmp_path}/profile.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "profile.json: line 1: not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "file: "),
        (b"{}", "defaultAction: is missing"),
        (b"[" * 100000, "profile.json: not valid JSON: nested too deeply"),
        (b'{"linux": 5}', "linux: must be an object, not a number"),
    ],
)
def test_files_that_are_no_profile(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_oci(path, "x86_64")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_oci(tmp_path / "none.json", "x86_64")


def test_files_become_members(tmp_path: Path) -> None:
    raw = tmp_path / "one.bpf"
    raw.write_bytes(to_raw(GETPPID_REFUSED))
    profile = written(tmp_path, syscalls=[rule()])
    members = list(file_members(named_files(f"{profile} '{raw}'"), "x86_64"))
    assert [member.name for member in members] == [
        "file/profile.json/linear", "file/profile.json/tree", "file/one.bpf",
    ]  # fmt: skip
    assert members[0].abis == ("x86_64", "i386")
    assert members[2].stack == (GETPPID_REFUSED,)
    assert members[2].abis == ("x86_64", "x32", "i386")


def test_mistakes_in_files_are_named(tmp_path: Path) -> None:
    raw = tmp_path / "one.bpf"
    raw.write_bytes(b"123")
    raw.write_bytes(b"\0")
    with pytest.raises(UserError, match=r"one.bpf: .* 8"):
        list(file_members((raw,), "x86_64"))
    with pytest.raises(UserError, match=r"two.bpf: No such file"):
        list(file_members((tmp_path / "two.bpf",), "x86_64"))
    with pytest.raises(UserError, match="option filters: No closing quotation"):
        named_files("'a.bpf")
    with pytest.raises(UserError, match="another file is named one"):
        list(file_members((raw, tmp_path / "other" / "one.bpf"), "x86_64"))


def test_programs_survive_the_file(tmp_path: Path) -> None:
    for order in ("little", "big"):
        path = tmp_path / f"{order}.bpf"
        path.write_bytes(to_raw(GETPPID_REFUSED, "little" if order == "little" else "big"))
        (found,) = file_members((path,), "x86_64")
        assert found.stack == (GETPPID_REFUSED,)
