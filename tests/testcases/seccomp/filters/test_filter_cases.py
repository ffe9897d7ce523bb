# SPDX-License-Identifier: GPL-2.0-or-later
"""Real filters that were once answered wrongly: each with its right answer, asked as a user asks."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from testcases.seccomp.bpf.assembly import assemble, disassemble
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import to_raw
from testcases.seccomp.bpf.interpret import decide
from testcases.seccomp.cli.command import COMMAND
from testcases.seccomp.corpus.container import PROFILE
from testcases.seccomp.filters.libseccomp import library_version
from util.errors import MachineError, RigError, UserError
from util.paths import ROOT

CASES = Path(__file__).with_name("filter_cases")


def call(*words: str | Path, given: bytes | None = None) -> Result:
    return CliRunner().invoke(COMMAND, [str(word) for word in words], input=given, catch_exceptions=False)


def answers(*words: str | Path, given: bytes | None = None) -> dict[str, str]:
    """By `system call of ABI` what comes behind it, with the first value below."""
    found: dict[str, str] = {}
    last = ""
    for line in call(*words, given=given).stdout.splitlines():
        name, colon, rest = line.partition(": ")
        if colon and " of " in name and not line.startswith((" ", "(")):
            last = f"{name.split()[0]} of {name.partition(' of ')[2]}"
            found[last] = rest
        elif line.startswith("  ") and last and "|" not in found[last]:
            found[last] += f" | {line.split()[0]}"
    return found


def profile(folder: Path, **keys: Any) -> Path:
    path = folder / "profile.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", **keys}))
    return path


def rule(*names: str, **keys: Any) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", **keys}


def refused(*words: str | Path, given: bytes | None = None) -> str:
    """The one line of the user's mistake."""
    with pytest.raises(UserError) as caught:
        call(*words, given=given)
    line = str(caught.value)
    assert "\n" not in line and line.isprintable() and "pydantic" not in line
    return line


X86 = ("--abi", "x86_64")
ALWAYS, NEVER, LOG = "always allow (by sets)", "never allow (by sets)", "always allow, and log (by sets)"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("native-left-out.json", "read", "--abi", "x86_64"), {"read of x86_64": f"{ALWAYS} | ALLOW"}),
        (("foreign-arch-only.json", "read", "--abi", "aarch64"), {"read of aarch64": f"{ALWAYS} | ALLOW"}),
        (("foreign-arch-only.json", "read", "--abi", "x86_64"), {"read of x86_64": f"{ALWAYS} | ALLOW"}),
        (("foreign-arch-only.json", "read"), {"read of aarch64": f"{ALWAYS} | ALLOW"}),
        (("log-rule.json", "read", "--abi", "x86_64"), {"read of x86_64": f"{LOG} | LOG"}),
        (("log-default.json", "write", "--abi", "x86_64"), {"write of x86_64": f"{LOG} | LOG"}),
        (("log-default.json", "read", "--abi", "x86_64"), {"read of x86_64": f"{ALWAYS} | ALLOW"}),
        (("z3-mul-small.txt", "3", "--abi", "x86_64"), {"3 of x86_64": "never allow (by z3) | TRAP"}),
        (("z3-timeout.bpf", "3", "--abi", "x86_64"), {"3 of x86_64": "never allow (by z3) | TRAP"}),
        (("min-kernel-6.json", "mount", *X86, "--kernel", "5.10"), {"mount of x86_64": f"{NEVER} | ERRNO(EPERM)"}),
        (("min-kernel-6.json", "mount", *X86, "--kernel", "6.5"), {"mount of x86_64": f"{ALWAYS} | ALLOW"}),
        (("errno-number-string.json", "mount", "--abi", "x86_64"), {"mount of x86_64": f"{NEVER} | ERRNO(ENOSYS)"}),
        (("errno-5000.bpf", "mount", "--abi", "x86_64"), {"mount of x86_64": f"{NEVER} | ERRNO(4095),"}),
        (("spo.json", "read", "--abi", "x86_64"), {"read of x86_64": f"{ALWAYS} | ALLOW"}),
        (("c-array.txt", "read", "--abi", "x86_64"), {"read of x86_64": f"{ALWAYS} | ALLOW"}),
        (("bpf-asm-decimal.txt", "read", "--abi", "x86_64"), {"read of x86_64": f"{ALWAYS} | ALLOW"}),
        (("hex.txt", "socketcall", "--abi", "i386"), {"socketcall of i386": f"{ALWAYS} | ALLOW"}),
    ],
)  # fmt: skip
def test_prove(words: tuple[str, ...], expected: dict[str, str]) -> None:
    name, nr, *rest = words
    begin = time.monotonic()
    assert answers("prove", CASES / name, "--nr", nr, *rest) == expected
    assert answers("prove", "-", "--nr", nr, *rest, given=(CASES / name).read_bytes()) == expected
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "arch-typo.json",
            "architectures[1]: unknown architecture `SCMP_ARCH_X86_46`; did you mean `SCMP_ARCH_X86_64`?",
        ),
        ("flag-unknown.json", "flags[0]: unknown flag of crun `SECCOMP_FILTER_FLAG_NOPE`"),
        ("notify-default.json", "defaultAction: SCMP_ACT_NOTIFY cannot be the default"),
        ("both-arch.json", "archMap: stands beside `architectures`"),
        ("x-names-both.json", "syscalls[0]: has both `name` and `names`"),
        ("errno-on-allow.json", "syscalls[0].errnoRet: SCMP_ACT_ALLOW takes no number"),
        ("errno-big.json", "syscalls[0].errnoRet: must be 0 to 4095, not 5000"),
        ("default-errno-big.json", "defaultErrnoRet: must be 0 to 4095, not 5000"),
        ("config-no-seccomp.json", "no seccomp section"),
        ("loongarch64.bpf", "it compares with loongarch64 (0xc0000102)"),
        ("ppc64le.bpf", "it compares with ppc64le (0xc0000015)"),
        ("arch-constant-typo.txt", "it compares with 0xc000003f (unknown; 0xc000003e is x86_64/x32)"),
    ],
)
def test_refused(name: str, words: str) -> None:
    line = refused("prove", CASES / name, "--nr", "read")
    assert line.startswith(f"{CASES / name}: ")
    assert words in line


@pytest.mark.parametrize("name", ["loongarch64.bpf", "ppc64le.bpf", "arch-constant-typo.txt"])
def test_an_unknown_architecture_is_never_answered_as_another(name: str) -> None:
    for command in (("prove", CASES / name, "--nr", "63"), ("analyse", CASES / name)):
        assert "names no architecture that was asked about" in refused(*command, "--abi", "x86_64")
        assert "names no architecture that the rig knows" in refused(*command)
    assert "architectures: none" not in call("show", CASES / name).stdout


def test_only_the_architectures_that_are_named_are_answered(tmp_path: Path) -> None:
    path = tmp_path / "x86.txt"
    path.write_text("ld [4]\njeq #0xc000003e, ok, bad\nok: ret #0x7fff0000\nbad: ret #0")
    found = call("prove", path, "--nr", "read", "--abi", "x86_64,aarch64").stdout.splitlines()
    assert found[0] == "read (0x0) of x86_64: always allow (by sets)"
    assert found[-1] == "(not answered for aarch64: the filter compares with x86_64/x32 (0xc000003e))"


@pytest.mark.slow
def test_each_abi_has_the_answer_of_its_own_kernel() -> None:
    for name in ("read", "socket", "clone", "personality", "mount"):
        both = answers("prove", PROFILE, "--nr", name, "--abi", "x86_64,aarch64")
        for abi in ("x86_64", "aarch64"):
            (own,) = answers("prove", PROFILE, "--nr", name, "--abi", abi).items()
            assert own in both.items()
    assert answers("prove", PROFILE, "--nr", "read", "--arch", "aarch64")["read of arm"] == f"{ALWAYS} | ALLOW"


@pytest.mark.parametrize(
    ("runtime", "value"),
    [
        ((), "ERRNO(EPERM)"),
        (("--runtime", "crun"), "ERRNO(EPERM)"),
        (("--runtime", "runc"), "ERRNO(ENOSYS)"),
    ],
)
def test_the_stub_of_runc(runtime: tuple[str, ...], value: str) -> None:
    words: tuple[str | Path, ...] = ("prove", CASES / "enosys.json", "--nr", "faccessat2", *runtime)
    assert set(answers(*words).values()) == {f"{NEVER} | {value}"}
    remark = " ".join(call(*words).stdout.split())
    assert f"(enosys.json: as {runtime[-1] if runtime else 'crun'} loads it" in remark
    assert f"libseccomp {library_version()}; default capabilities)" in remark


def test_the_stub_is_the_one_that_runc_makes() -> None:
    """These decisions are those of the instructions that runc 1.1.5 logs for this profile (`runc --debug run`)."""
    from testcases.seccomp.filters.runtime import enosys_stub

    stub = enosys_stub(("read", "faccessat"), ("X86_64", "X86", "X32"), 0x50001)
    end = assemble("\n".join((*disassemble(stub), "ret #0x7fff0000")))
    for arch, x32, largest in ((0xC000003E, 0, 269), (0xC000003E, 1 << 30, 269), (0x40000003, 0, 307)):
        assert decide((end,), Call(x32 | largest, arch)) == 0x7FFF0000
        assert decide((end,), Call(x32 | largest + 1, arch)) == 0x50026
    assert decide((end,), Call(500, 0xC00000B7)) == 0x7FFF0000
    assert enosys_stub(("read", "write"), ("X86_64",), 0x7FFC0000) == ()
    assert enosys_stub(("write",), (), 0x50001) == ()


def test_multiplexed_calls_of_i386(tmp_path: Path) -> None:
    found = answers("prove", CASES / "socketcall.json", "--nr", "socket")
    assert list(found) == [
        "socket of x86_64", "socket of x32", "socket of i386", "socket of i386, through socketcall, args[0]=1",
    ]  # fmt: skip
    assert found["socket of i386, through socketcall, args[0]=1"] == f"{ALWAYS} | ALLOW"
    assert found["socket of i386"] == "depends (by sets) | ERRNO(EPERM)"
    archs = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    path = profile(tmp_path, architectures=archs, syscalls=[rule("shmget", "semop", "accept")])
    for name, way in (("shmget", "ipc, args[0]=23"), ("semop", "ipc, args[0]=1"), ("accept", "socketcall, args[0]=5")):
        assert answers("prove", path, "--nr", name)[f"{name} of i386, through {way}"] == f"{ALWAYS} | ALLOW"
    assert (
        answers("prove", path, "--nr", "semget")["semget of i386, through ipc, args[0]=2"] == f"{NEVER} | ERRNO(EPERM)"
    )


def test_show_tells_a_list_from_a_tree_by_its_numbers() -> None:
    """Comparisons of arguments halve nothing."""
    assert "; layout: a linear list" in call("show", CASES / "socketcall.json").stdout
    assert "binary tree" not in call("show", CASES / "hex.txt").stdout


def test_a_name_that_one_abi_lacks() -> None:
    assert list(answers("prove", PROFILE, "--nr", "socketcall")) == ["socketcall of i386"]
    assert "arm has no system call `open_by`" in refused("prove", PROFILE, "--nr", "open_by", "--abi", "arm")
    text = call("prove", PROFILE, "--nr", "open", "--abi", "x86_64,aarch64").stdout
    assert "\naarch64 has no system call `open`; did you mean `openat`?\n" in text


def test_conditions_are_ranges_and_masks() -> None:
    found = call("prove", CASES / "masked.json", "--nr", "clone", "--abi", "x86_64").stdout.splitlines()
    assert "    when args[0] & 0x7e020000 == 0x0" in found
    assert "    otherwise (--all shows the condition)" in found
    found = call("prove", PROFILE, "--nr", "personality", "--abi", "x86_64").stdout.splitlines()
    assert "    when args[0] in 0x0, 0x8, 0x20000, 0x20008, 0xffffffff" in found
    found = call("prove", CASES / "socketcall.json", "--nr", "socket", "--abi", "i386").stdout.splitlines()
    assert "    when args[0] == 0x26" in found and "    when args[0] in 0x0-0x25, 0x27-0xffffffff" in found


def test_a_list_that_is_cut_says_so(tmp_path: Path) -> None:
    values = [{"index": 0, "value": 16 * one, "op": "SCMP_CMP_EQ"} for one in range(60)]
    path = profile(tmp_path, syscalls=[rule("ioctl", args=values)])
    done = call("prove", path, "--nr", "ioctl", "--abi", "x86_64")
    assert "args: crun takes the first 6 of 60 comparisons only" in done.stderr
    text = call("prove", path, "--nr", "ioctl", "--abi", "x86_64", "--runtime", "runc").stdout
    assert "... and 20 more ranges" in " ".join(text.split())
    many = [
        rule(
            "fcntl",
            args=[{"index": 0, "value": n, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": n, "op": "SCMP_CMP_EQ"}],
        )
        for n in range(16)
    ]
    path = profile(tmp_path, syscalls=many)
    text = call("prove", path, "--nr", "fcntl", "--abi", "x86_64").stdout
    assert "--all shows" in text
    assert "--all shows" not in call("prove", path, "--nr", "fcntl", "--abi", "x86_64", "--all").stdout


HARD = """\
ld [0]
tax
ld [16]
mul x
tax
ld [24]
mul x
add #0x9e3779b1
tax
ld [32]
mul x
xor #0x5bd1e995
tax
ld [40]
mul x
jeq #0x12345678, y, n
y: ret #0x7fff0000
n: ret #0x50001
"""


def test_examples_are_called_so(tmp_path: Path) -> None:
    path = tmp_path / "sum"
    path.write_text("ld [16]\nadd #1\njeq #0, y, n\ny: ret #0x7fff0000\nn: ret #0x50001")
    text = call("prove", path, "--nr", "3", "--abi", "x86_64").stdout
    assert "(the condition is not one of ranges and masks; these calls are examples)" in text


@pytest.mark.slow
def test_the_time_of_a_command_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "hard"
    path.write_text(HARD)
    begin = time.monotonic()
    with pytest.raises(MachineError, match="--seconds gives more time"):
        call("analyse", path, "--abi", "x86_64", "--seconds", "1")
    assert time.monotonic() - begin < 20
    with pytest.raises(MachineError, match="not answered within 0 s"):
        call("prove", path, "--abi", "x86_64", "--nr", "3", "--seconds", "0")


def test_what_is_known_is_not_thrown_away(tmp_path: Path) -> None:
    """Both values are denials: that no third one is found in time takes nothing from the answer."""
    path = tmp_path / "hard"
    path.write_text(HARD.replace("#0x7fff0000", "#0x50002"))
    found = call("prove", path, "--abi", "x86_64", "--nr", "3", "--seconds", "0.001")
    assert found.stdout.startswith("3 (0x3) of x86_64: never allow (by z3)\n  ERRNO(EPERM) ")
    assert "whether there are further values is not known after 0.001 s; --seconds gives more time" in found.stdout


def test_precision_of_what_the_kernel_refuses(tmp_path: Path) -> None:
    path = tmp_path / "bad.bpf"
    path.write_bytes(to_raw(assemble("ld [1]\nret a")))
    assert refused("precision", path).startswith(f"{path}: the kernel refuses it: EINVAL at l0: load at offset 1")


def test_show_names_system_calls() -> None:
    text = call("show", CASES / "hex.txt").stdout
    assert "l9: jeq #0x66, l15, l10                     ; socketcall\n" in text
    text = call("show", CASES / "socketcall.json").stdout
    assert "; socket\n" in text and "; socketcall\n" in text
    by_abi = call("show", CASES / "bpf-asm-decimal.txt").stdout
    assert "; x86_64/x32" in by_abi


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "status", "words"),
    [
        ("native-left-out.json", ("prove", "--nr", "read", "--abi", "x86_64"), 0, "read (0x0) of x86_64: always allow"),
        ("errno-big.json", ("prove", "--nr", "read"), 2, "syscalls[0].errnoRet: must be 0 to 4095, not 5000"),
        ("loongarch64.bpf", ("analyse",), 2, "loongarch64 (0xc0000102)"),
        ("riscv64.bpf", ("prove", "--nr", "read"), 0, "read (0x3f) of riscv64: depends"),
    ],
)
def test_the_real_command(name: str, arguments: tuple[str, ...], status: int, words: str) -> None:
    command = [sys.executable, str(ROOT / "rig.py"), "filter", arguments[0], "-", *arguments[1:]]
    data = (CASES / name).read_bytes()
    done = subprocess.run(command, input=data, capture_output=True, timeout=120, check=False)
    assert (done.returncode, words in (done.stdout + done.stderr).decode()) == (status, True)
    assert b"Traceback" not in done.stderr


def _number(value: str) -> bytes:
    rule_text = b'{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":%s}' % value.encode()
    return b'{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[%s]}' % rule_text


@pytest.mark.parametrize(
    "data",
    [
        b"", b" ", b"{", b"[]", b"{}", b"null", b"{ 1", b"{{", b"{ 0x20, 0, 0 },", b"{ 0x20, 0, 0, 0x1ffffffff },",
        b"\xef\xbb\xbf{}", b"\xff\xfe{\0", b"[" * 100_000, b'{"a":' * 50_000, b"// x\n{}", b"{}}", b"\0", b"abc",
        b"2,6 0 0 0", b"1,6 0 0 4294967296", b"1,6 0 0 " + b"9" * 5000, b"20000000", b"0x", b"9" * 100_000,
        b"kind: SeccompProfile\nspec: [", b"kind: SeccompProfile", b"kind: Pod\nspec: {}", b"kind: 5\n",
        b"kind: !!bool x",
        b"kind: SeccompProfile\nspec: &a\n  spec: *a\n", b"apiVersion: 2024-99-99", b"spec: " + b"[" * 3000,
        b"kind: a\nb: &x [1,1,1,1,1,1,1,1]\n" + b"".join(b"c%d: &x [*x,*x,*x,*x,*x,*x,*x,*x]\n" % n for n in range(12)),
        b"read: 1\nread: 1", b"read: arg6 == 1", b"read: arg0 = 1", b"read: arg0 == NOPE", b"read: return 5000",
        b"nope: 1",
        b"read: arg0 == " + b"9" * 5000, b"@include ./none", b"@default what", b"{read: 1", b"read: arg0 in",
        b"read: ;",
        b'{"vmm": {"filter": []}}', b'{"vmm": {"filter": 5, "default_action": "allow", "filter_action": "trap"}}',
        b'{"a": {"filter": []}, "b": {"filter": []}}', b'{"linux": null, "ociVersion": "1"}',
        b'{"linux": {"seccomp": []}}',
        *map(_number, ("-1", "5.0", "1e2", "NaN", "Infinity", "1" * 5000, "true", '"5"', "[]", "4096", "1e999")),
        b'{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["\\ud800\\u001b[31m"],"action":"\\u001b[31m"}]}',
        b'{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":"read","action":"SCMP_ACT_ALLOW"}]}',
        b'{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"6"}}]}',
        b'{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"6.1.2"}}]}',
    ],
)  # fmt: skip
def test_bad_input_is_one_line(data: bytes) -> None:
    refused("prove", "-", "--nr", "read", given=data)


@pytest.mark.parametrize(
    "words",
    [
        ("--abi", "i368"), ("--abi", ","), ("--arch", "i386"), ("--arch", "aarch64", "--abi", "x86_64"),
        ("--capabilities", "CAP_NOPE"), ("--kernel", "six"), ("--nr", "9" * 5000), ("--nr", "\x1b[31m"), ("--nr", ""),
        ("--nr", "0x1ffffffff"), ("--nr", "-2147483649"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(words: tuple[str, ...]) -> None:
    refused("prove", CASES / "masked.json", "--nr", "read", *words)


@pytest.mark.slow
def test_no_reader_is_slow() -> None:
    """A megabyte of anything is refused or answered in seconds."""
    for piece in (
        b"{",
        b"[",
        b"9",
        b"a: 1\n",
        b"{0,0,0,0},",
        b"x\n",
        b"l: ld [0]\n",
        b"/*",
        b"\\x20",
        b" ",
        b"- ",
        b"kind: a\n",
    ):
        begin = time.monotonic()
        with pytest.raises(RigError):
            call("prove", "-", "--nr", "read", given=(piece * (1 + (1 << 20) // len(piece)))[: 1 << 20])
        assert time.monotonic() - begin < 20, piece
