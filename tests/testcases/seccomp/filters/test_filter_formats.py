# SPDX-License-Identifier: GPL-2.0-or-later
"""Every format in which filters are written down, read to the same decisions; and who the reader is."""

import json
import operator
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import to_raw
from testcases.seccomp.bpf.interpret import decide
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.bpf.validate import refusal
from testcases.seccomp.cli.conditions import clauses
from testcases.seccomp.filters.filter_file import FilterFile
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.filters.ordered import Clause, Compare, Condition, OrderedPolicy, compiled
from testcases.seccomp.filters.target import ALL_CAPABILITIES, FilterTarget, MadeFilter, Runtime, capabilities_of
from testcases.seccomp.prove.oracle import Oracle
from tests.testcases.seccomp.programs import GETPPID_REFUSED
from util.errors import UserError

ALLOW, KILL, EPERM = 0x7FFF0000, 0x80000000, 0x50001
X86_64 = ABIS["x86_64"].audit_arch


def made(data: str | bytes, name: str = "-", **how: Any) -> MadeFilter:
    raw = data.encode() if isinstance(data, str) else data
    (found,) = FilterFile(Path(name), raw).made(FilterTarget(**{"arch": "x86_64", **how}))
    assert refusal(found.program) is None
    return found


def value(found: MadeFilter, name: str, *args: int, abi: str = "x86_64") -> int:
    nr = number(name, abi)
    assert nr is not None
    return decide((found.program,), Call(nr, ABIS[abi].audit_arch, 0, (*args, *(0,) * (6 - len(args)))))


RAW = to_raw(GETPPID_REFUSED)
ROWS = [(insn.code, insn.jt, insn.jf, insn.k) for insn in GETPPID_REFUSED]


@pytest.mark.parametrize(
    "data",
    [
        RAW,
        RAW.hex(),
        "\n".join(RAW.hex(" ")[at : at + 47] for at in range(0, len(RAW) * 3, 48)),
        "".join(f"\\x{byte:02x}" for byte in RAW),
        ", ".join(f"0x{byte:02X}" for byte in RAW),
        "\n".join(f"{at:08x}: {RAW[at : at + 16].hex(' ', 2)}  ......" for at in range(0, len(RAW), 16)),
        "\n".join(f"{{ {code:#x}, {jt}, {jf}, {k:#010x} }}," for code, jt, jf, k in ROWS),
        "/* mine */ struct sock_filter f[] = {\n"
        + "\n".join(f"\t{{ .code = {c}, .jt = {jt}, .jf = {jf}, .k = {k}U }}, // {k}" for c, jt, jf, k in ROWS)
        + "\n};\n",
        f"{len(ROWS)},{','.join('{} {} {} {}'.format(*row) for row in ROWS)},",
        f"{len(ROWS)}\n" + "".join("{} {} {} {}\n".format(*row) for row in ROWS),
    ],
)
def test_a_program_in_every_form(data: str | bytes) -> None:
    assert made(data).program == GETPPID_REFUSED


SPEC = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}
YAML = """\
# comment
apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata: {name: mine}
spec:
  baseProfileName: runc-v1.1
  defaultAction: SCMP_ACT_ERRNO
  syscalls:
  - action: SCMP_ACT_ALLOW
    names: [read]
"""


def test_the_operators_resource() -> None:
    assert made(YAML).program == made(json.dumps(SPEC)).program
    assert made(json.dumps({"kind": "SeccompProfile", "spec": SPEC})).program == made(json.dumps(SPEC)).program
    assert made("---\nkind: Namespace\n---\n" + YAML).program == made(YAML).program
    assert made(YAML).notes == ("spec.baseProfileName: `runc-v1.1` is not read; its rules are missing from the answer",)
    with pytest.raises(UserError, match="holds 2 documents"):
        made(f"{YAML}---\n{YAML}")


FIRECRACKER: dict[str, Any] = {
    "vmm": {
        "default_action": {"errno": 1},
        "filter_action": "allow",
        "filter": [
            {"syscall": "read", "comment": "all"},
            {"syscall": "ioctl", "args": [{"index": 1, "type": "dword", "op": "eq", "val": 0x5401}]},
            {
                "syscall": "ioctl",
                "args": [
                    {"index": 1, "type": "qword", "op": {"masked_eq": 0xF0}, "val": 0x1F},
                    {"index": 2, "type": "qword", "op": "gt", "val": 1 << 33},
                ],
            },
        ],
    },
    "api": {"mismatch_action": "kill_thread", "match_action": {"trace": 7}, "filter": [{"syscall": "getpid"}]},
}


def test_firecracker() -> None:
    found = made(json.dumps(FIRECRACKER), part="vmm")
    assert [value(found, name) for name in ("read", "write", "ioctl")] == [ALLOW, EPERM, EPERM]
    assert value(found, "ioctl", 0, 7 << 32 | 0x5401) == ALLOW, "a dword is the lower half"
    assert value(found, "ioctl", 0, 0x13, (1 << 33) + 1) == ALLOW
    assert value(found, "ioctl", 0, 0x13, 1 << 33) == EPERM
    assert value(found, "read", abi="i386") == KILL
    other = made(json.dumps(FIRECRACKER), part="api")
    assert (value(other, "getpid"), value(other, "read")) == (0x7FF00007, 0)
    assert made(json.dumps(FIRECRACKER), part="vmm", arch="aarch64").abis == ("aarch64",)
    with pytest.raises(UserError, match="holds filters for `vmm`, `api`; choose one with --part"):
        made(json.dumps(FIRECRACKER))
    with pytest.raises(UserError, match="holds no filter `x`"):
        made(json.dumps(FIRECRACKER), part="x")


POLICY = """\
# what minijail0(5) shows
@frequency ./x.frequency
read: 1
write: allow
{close, dup}[arch=x86_64]: 1
openat[arch=arm]: 1
mmap: arg2 in PROT_READ|PROT_WRITE && \\
      arg3 & MAP_PRIVATE || arg0 == 0x7
ioctl: arg1 == 0x5401 || arg1 == 0x5402; return ENOTTY
socket: return EACCES
ptrace: kill-thread
lseek: arg1 >= 5 && arg1 != 9 && arg1 < 0x100000000; return 5
"""


def test_minijail() -> None:
    found = made(POLICY)
    assert [value(found, name) for name in ("read", "write", "close", "openat", "socket", "ptrace")] == [
        ALLOW, ALLOW, ALLOW, KILL, 0x5000D, 0,
    ]  # fmt: skip
    assert [value(found, "mmap", *args) for args in ((0, 0, 3, 2), (0, 0, 7, 2), (0, 0, 3, 1), (7, 0, 7, 0))] == [
        ALLOW, KILL, KILL, ALLOW,
    ]  # fmt: skip
    assert [value(found, "ioctl", 0, arg) for arg in (0x5401, 0x5402, 0x5403)] == [ALLOW, ALLOW, 0x50019]
    assert [value(found, "lseek", 0, arg) for arg in (4, 5, 9, 10, 1 << 32)] == [
        0x50005,
        ALLOW,
        0x50005,
        ALLOW,
        0x50005,
    ]
    assert value(made("@default return EPERM\nread: 1"), "write") == EPERM
    assert value(made("@denylist\nread: return EPERM"), "write") == ALLOW


def test_minijails_include(tmp_path: Path) -> None:
    (tmp_path / "base.policy").write_text("read: 1\n")
    path = tmp_path / "a.policy"
    path.write_text("@include ./base.policy\nwrite: 1\n")
    (found,) = FilterFile(path, path.read_bytes()).made(FilterTarget("x86_64"))
    assert (value(found, "read"), value(found, "write"), value(found, "close")) == (ALLOW, ALLOW, KILL)


_HOLDS: dict[Compare, Callable[[int, int], Any]] = {
    Compare.EQ: operator.eq, Compare.NE: operator.ne, Compare.LT: operator.lt, Compare.LE: operator.le,
    Compare.GT: operator.gt, Compare.GE: operator.ge, Compare.ANY_BIT: operator.and_,
    Compare.NO_BIT: lambda one, two: not one & two,
}  # fmt: skip


def _holds(condition: Condition, args: tuple[int, ...]) -> bool:
    word = (1 << 64 if condition.wide else 1 << 32) - 1
    argument = args[condition.arg] & word
    if condition.test is Compare.MASKED:
        return (argument ^ condition.value) & condition.mask & word == 0
    return bool(_HOLDS[condition.test](argument, condition.value & word))


def test_ordered_policies_are_compiled_to_what_they_say() -> None:
    edges = (0, 1, 5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 32) + 5, 1 << 63, (1 << 64) - 1)
    for seed in range(150):
        dice = Random(seed)
        conditions = [
            Condition(
                dice.randrange(2),
                dice.choice(tuple(Compare)),
                dice.choice(edges),
                dice.choice(edges),
                dice.random() < 0.6,
            )
            for _ in range(dice.randrange(1, 4))
        ]
        cut = dice.randrange(len(conditions) + 1)
        many = (Clause(tuple(conditions[:cut]), ALLOW), Clause(tuple(conditions[cut:]), 0x50002))
        program = compiled(OrderedPolicy("x86_64", ((5, many, 0x50003),), EPERM, KILL))
        for _ in range(20):
            args = (dice.choice(edges), dice.choice(edges), 0, 0, 0, 0)
            held = (one.action for one in many if all(_holds(item, args) for item in one.conditions))
            assert decide((program,), Call(5, X86_64, 0, args)) == next(held, 0x50003), (seed, args)
        assert decide((program,), Call(6, X86_64)) == EPERM


def _profile(*rules: dict[str, Any], **keys: Any) -> str:
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": list(rules), **keys})


def _rule(name: str, **keys: Any) -> dict[str, Any]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW", **keys}


def test_capabilities_are_chosen() -> None:
    text = _profile(
        _rule("mount", includes={"caps": ["CAP_SYS_ADMIN"]}), _rule("chroot", excludes={"caps": ["CAP_KILL"]})
    )
    found = {
        words: tuple(value(made(text, capabilities=capabilities_of(words)), name) for name in ("mount", "chroot"))
        for words in ("default", "none", "all", "default,sys_admin", "CAP_SYS_ADMIN")
    }
    assert found == {
        "default": (EPERM, EPERM), "none": (EPERM, ALLOW), "all": (ALLOW, EPERM), "default,sys_admin": (ALLOW, EPERM),
        "CAP_SYS_ADMIN": (ALLOW, ALLOW),
    }  # fmt: skip
    assert "default capabilities and CAP_BPF" in made(text, capabilities=capabilities_of("default,BPF")).how
    assert "; all capabilities" in made(text, capabilities=ALL_CAPABILITIES).how
    assert "; capabilities CAP_BPF" in made(text, capabilities=capabilities_of("BPF")).how
    assert "; no capabilities" in made(text, capabilities=capabilities_of("none")).how


def test_runtimes_differ() -> None:
    assert value(made(_profile(_rule("", action="SCMP_ACT_ALLOW"), _rule("read"))), "read") == ALLOW
    for text, words in (
        (_profile(_rule("")), "empty name, which runc refuses"),
        (_profile(_rule("write", action="SCMP_ACT_NOTIFY")), "runc refuses SCMP_ACT_NOTIFY for write"),
        (_profile(architectures=["x86"]), "unknown architecture `x86`"),
        (_profile(flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), "unknown flag of runc"),
    ):
        made(text, runtime=Runtime.CRUN)
        with pytest.raises(UserError, match=words):
            made(text, runtime=Runtime.RUNC)


def test_architectures_of_other_kernels() -> None:
    """libseccomp adds what has the same byte order, and runtimes fail where it refuses."""
    found = made(_profile(_rule("read"), architectures=["SCMP_ARCH_PPC64LE", "SCMP_ARCH_X86"]))
    assert decide((found.program,), Call(3, 0xC0000015)) == ALLOW
    assert value(found, "read") == value(found, "read", abi="i386") == ALLOW
    with pytest.raises(UserError, match="libseccomp refuses SCMP_ARCH_S390X beside x86_64: the byte order is another"):
        made(_profile(_rule("read"), architectures=["SCMP_ARCH_S390X"]))
    entries = [{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_TYPO"]}]
    assert value(made(_profile(_rule("read"), archMap=entries)), "read") == ALLOW, "no entry for this kernel: its own"
    with pytest.raises(UserError, match=r"archMap\[0\].subArchitectures\[0\]: unknown architecture `SCMP_ARCH_TYPO`"):
        made(_profile(_rule("read"), archMap=entries), arch="aarch64")


def test_odd_but_valid_rules() -> None:
    zero = made(_profile(_rule("read", action="SCMP_ACT_ERRNO", errnoRet=0), _rule("read", action="SCMP_ACT_ERRNO")))
    assert value(zero, "read") == 0x50000
    trace = made(_profile(_rule("read", action="SCMP_ACT_TRACE", errnoRet=65535)))
    assert value(trace, "read") == 0x7FF0FFFF
    swapped = {"index": 0, "value": 0, "valueTwo": 0x7E020000, "op": "SCMP_CMP_MASKED_EQ"}
    found = made(_profile(_rule("clone", args=[swapped])))
    assert found.notes == (
        "syscalls[0].args[0]: valueTwo 0x7e020000 has bits that the mask, value 0x0, has not; are the two exchanged?",
    )
    assert value(made('{"DefaultAction": "SCMP_ACT_LOG"}'), "read") == 0x7FFC0000, "Go finds keys in any case"
    both = made(_profile(_rule("read", action="SCMP_ACT_ERRNO", errnoRet=2, errno="ENOSYS")))
    assert value(both, "read") == 0x50026, "containers/common takes the name first"


def test_conditions_describe_what_the_interpreter_does() -> None:
    """Each alternative is evaluated as a person would and compared with the filter, over edges and random calls."""
    dice = Random(7)
    ops = ("NE", "LT", "LE", "EQ", "GE", "GT")
    for _ in range(60):
        numbers = (0, 5, 0xFFFFFFFF, 1 << 32, 1 << 40)
        args = [
            {"index": index, "value": dice.choice(numbers), "op": f"SCMP_CMP_{dice.choice(ops)}"}
            for index in range(dice.randrange(1, 3))
        ]
        found = made(_profile(_rule("ioctl", args=args)))
        regions = Oracle((found.program,)).regions(16, X86_64)
        assert regions is not None
        for _ in range(20):
            values = tuple(dice.choice((0, 4, 5, 6, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 32, (1 << 40) + 1)) for _ in range(6))
            real = decide((found.program,), Call(16, X86_64, 0, values))
            for wanted, boxes in regions.items():
                assert any(_true(text, values) for text in clauses(boxes)) is (real == wanted), (args, values)


def _true(text: str, values: tuple[int, ...]) -> bool:
    return not text or all(_part(part.split(" ", 1), values) for part in text.split(" and "))


def _part(words: list[str], values: tuple[int, ...]) -> bool:
    argument, rest = values[int(words[0][5])], words[1]
    if rest.startswith("low "):
        argument, rest = argument & 0xFFFFFFFF, rest.removeprefix("low ")
    word, numbers = rest.removeprefix("not ").split(" ", 1)
    spans = [[int(one, 16) for one in span.split("-")] for span in numbers.split(", ")]
    inside = any(span[0] <= argument <= span[-1] for span in spans)
    low = spans[0][0]
    return {
        "in": inside is not rest.startswith("not "),
        "==": argument == low,
        "!=": argument != low,
        "<=": argument <= low,
        ">=": argument >= low,
    }[word]


def test_assembly_is_still_read() -> None:
    text = "start: ld [0]\nl1: jeq #39, l2, l3\nl2: ret #0x50001\nl3: ret #0x7fff0000\n"
    assert made(text).program == assemble(text)


@pytest.mark.parametrize(
    "data", [b"o\xe2\x80\xaek: ret #0: ret #1\n", b"mul #\x1b[2J\n", b"ld [" + b"9" * 5000 + b"]\n"]
)
def test_what_a_message_quotes_is_a_plain_line(data: bytes) -> None:
    with pytest.raises(UserError) as caught:
        FilterFile(Path("filter"), data).made(FilterTarget("x86_64"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_blanks_before_the_count() -> None:
    (made,) = FilterFile(Path("filter"), b" " * 20 + b"1,6 0 0 5").made(FilterTarget("x86_64"))
    assert len(made.program) == 1
    padded = b"\n" + b" " * 4 + b"\xe2\x80\x83" * 9 + b"1\n6 0 0 5\n"
    (made,) = FilterFile(Path("filter"), b"\x0c" + padded).made(FilterTarget("x86_64"))
    assert len(made.program) == 1


@pytest.mark.parametrize(
    "text", [",", ",,", "\n,\n", " , ", "0", "0,", ",0", "1,0 0 0", "{", "{0", "[]", "{}", ":", "@", "\\x"]
)
def test_a_text_of_almost_nothing_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(UserError) as caught:
        made(text, "x")
    assert str(caught.value).isprintable()


def test_a_text_of_instructions_without_end_is_refused_before_it_is_read_to_its_end() -> None:
    with pytest.raises(UserError, match="line 16385: more than 16384 instructions"):
        made("ld [4]\n" * 100_000, "x")
