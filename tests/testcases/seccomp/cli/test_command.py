# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `rig.py filter`, as a user calls it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ci.command.registry import commands
from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import to_raw
from testcases.seccomp.bpf.interpret import run
from testcases.seccomp.cli.command import COMMAND
from testcases.seccomp.corpus.container import members
from testcases.seccomp.filters.reproducer import FilterCase, save
from util.errors import UserError

TEXT = """\
ld [4]
jeq #0xc000003e, l2, l9
ld [0]
jge #0x40000000, l9, l4
jeq #39, l8, l5
jeq #135, l6, l8
ld [16]
jeq #0, l8, l9
ret #0x7fff0000
ret #0x50001
"""
PROFILE = """
{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
 "syscalls": [{"names": ["getpid", "read", "write"], "action": "SCMP_ACT_ALLOW"},
              {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [
                  {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}
"""


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(COMMAND, [str(word) for word in words], catch_exceptions=False)


def lines(*words: str | Path) -> list[str]:
    result = call(*words)
    assert result.exit_code == 0, result.output
    found = result.output.splitlines()
    assert all(len(line) < 100 for line in found[1:]), "the first line has the file's name"
    return found


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "filter.txt"
    path.write_text(TEXT)
    return path


def test_the_registry_finds_it() -> None:
    assert COMMAND in commands()


def test_show(text: Path) -> None:
    found = lines("show", text)
    assert found[:5] == [
        f"; {text}: 10 instructions, 80 bytes",
        "; valid; 16 of the 32768 that all filters of a task may have",
        "; architectures: x86_64/x32 (0xc000003e); bit 30 (x32) is tested",
        "; layout: too few numbers are compared to tell",
        "; returns: ALLOW x1, ERRNO(EPERM) x1",
    ]
    assert [" ".join(line.split()) for line in found[5:9]] == [
        "l0: ld [4] ; arch",
        "l1: jeq #0xc000003e, l2, l9 ; x86_64/x32",
        "l2: ld [0] ; nr",
        "l3: jge #0x40000000, l9, l4 ; x32",
    ]


@pytest.mark.parametrize("order", ["little", "big"])
def test_what_is_shown_can_be_read(tmp_path: Path, text: Path, order: str) -> None:
    raw = tmp_path / "filter.bpf"
    raw.write_bytes(to_raw(assemble(TEXT), "big" if order == "big" else "little"))
    shown = lines("show", raw)
    assert shown[1:] == lines("show", text)[1:]
    again = tmp_path / "again"
    again.write_text("\n".join(shown))
    assert lines("show", again)[1:] == shown[1:]


def test_show_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text("ld [0]\nmod #3\nret a")
    assert "; the kernel refuses it with EINVAL at l1: code 0x94 is not allowed in a seccomp filter" in lines(
        "show", path
    )


@pytest.mark.slow
def test_show_tells_a_tree_from_a_list(tmp_path: Path) -> None:
    shown = {member.name: member.stack[0] for member in members("x86_64")}
    for form, words in (("linear", "a linear list"), ("tree", "a binary tree")):
        path = tmp_path / form
        path.write_bytes(to_raw(shown[f"container/default/{form}"]))
        found = lines("show", path)
        assert found[3].startswith(f"; layout: {words}"), form
        assert "x86_64/x32 (0xc000003e)" in found[2]
        assert "arm" not in found[2], "a number of x32 is no architecture"


def test_analyse(text: Path) -> None:
    found = lines("analyse", text, "--kernel", "6.1", "--abi", "x86_64")
    assert found[0] == "x86_64: 451 numbers of kernel 6.1"
    assert found[1] == "  450 always allow, 0 never allow, 1 depends"
    assert found[2] == "  instructions per call without a cache: 6 to 9, 7 in the middle (arguments zero)"
    assert [line.split()[:3] for line in found[4:9]] == [
        [name, "450", "100.0"] for name in ("access", "subset", "v2", "lazy", "merged")
    ]
    assert found[9:12] == [
        "  not cached by `merged`:",
        "    1: l6: ld [16]  reads args[0] low",
        "      personality~",
    ]


def test_analyse_counts_instructions_as_the_interpreter(text: Path) -> None:
    rows = [line for line in lines("analyse", text, "--abi", "x86_64", "--table") if line.lstrip()[:1].isdigit()]
    row = next(line.split() for line in rows if " getpid " in line)
    assert row[:3] == ["39", "getpid", "always"]
    assert int(row[8]) == run(assemble(TEXT), Call(39, 0xC000003E)).executed


def test_analyse_of_a_foreign_abi_and_of_x32(text: Path) -> None:
    found = lines("analyse", text, "--abi", "x32,i386")
    assert found[1] == "  0 always allow, 463 never allow, 0 depends"
    assert "    463: the number has no bit in the cache" in found
    assert "    463: l9: ret #0x50001  returns ERRNO(EPERM)" in found


def test_a_profile_is_analysed_for_its_abis(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(PROFILE)
    found = lines("analyse", path)
    assert [line for line in found if "numbers of" in line] == [
        "x86_64: 463 numbers of kernel 6.12",
        "x32: 463 numbers of kernel 6.12",
        "i386: 463 numbers of kernel 6.12",
    ]
    assert sum("3 always allow" in line for line in found) == 2
    assert "personality (0x88) of i386: depends (by sets)" in lines("prove", path, "--nr", "personality")
    assert lines("show", path, "--form", "tree")[0].startswith(f"; {path}")


def test_what_is_left_out_of_a_profile_is_said(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(PROFILE.replace('"read"', '"read", "readd"'))
    result = call("prove", path, "--nr", "read", "--abi", "x86_64")
    assert result.stderr == f"{path}: syscalls[0].names: libseccomp knows no system call `readd`; left out\n"
    assert result.stdout.startswith("read (0x0) of x86_64: always")


def test_prove(text: Path) -> None:
    assert lines("prove", text, "--nr", "personality", "--abi", "x86_64") == [
        "personality (0x87) of x86_64: depends (by sets)",
        "  ERRNO(EPERM)             args[0]=0x1",
        "    when args[0] low >= 0x1",
        "  ALLOW                    all arguments zero",
        "    when args[0] low == 0x0",
    ]
    assert lines("prove", text, "--nr", "0x27")[0] == "0x27 (0x27) of x86_64: always allow (by sets)"
    assert (
        lines("prove", text, "--nr", "-1", "--abi", "x86_64")[0] == "-1 (0xffffffff) of x86_64: never allow (by sets)"
    )
    assert lines("prove", text, "--nr", "getpid", "--abi", "x32")[0].startswith("getpid (0x40000027) of x32: never")


def test_a_stack_and_a_failing_case(tmp_path: Path, text: Path) -> None:
    deny = tmp_path / "deny"
    deny.write_text("ld [0]\njeq #39, l2, l3\nret #0x50026\nret #0x7fff0000")
    assert "never" in lines("prove", text, deny, "--nr", "39", "--abi", "x86_64")[0]
    assert "    1: filter 1, l2: ret #0x50026  returns ERRNO(ENOSYS)" in lines("analyse", text, deny, "--abi", "x86_64")
    save(
        tmp_path / "case",
        FilterCase(abi="x86_64", nr=39, arch=0xC000003E),
        (assemble(TEXT), assemble(deny.read_text())),
    )
    assert "never" in lines("prove", tmp_path / "case", "--nr", "39", "--abi", "x86_64")[0]
    assert len([line for line in lines("show", tmp_path / "case") if line.startswith("; layout")]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("analyse", "FILE", "--abi", "x86"), "no ABI `x86`; did you mean `x86_64`"),
        (("analyse", "FILE", "--kernel", "2.6"), "no facts on the cache of kernel 2.6"),
        (
            ("prove", "FILE", "--nr", "getpidd", "--abi", "arm"),
            "arm has no system call `getpidd`; did you mean `getpid`",
        ),
        (("prove", "FILE", "--nr", "0x1ffffffff"), "has 32 bits"),
        (("show", "FILE", "--arch", "riscv"), "no architecture `riscv`"),
        (("prove", "BAD", "--nr", "1"), r"bad: the kernel refuses it: EINVAL at l0: load at offset 1"),
        (("show", "NOISE"), r"noise: not a raw filter: 3 bytes"),
        (("show", "WORDS"), r"words: line 1: no `hello`"),
        (("show", "FOLDER"), "Is a directory"),
    ],
)
def test_mistakes(tmp_path: Path, text: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "bad").write_text("ld [1]\nret a")
    (tmp_path / "noise").write_bytes(b"\x00\x01\x02")
    (tmp_path / "words").write_text("hello world")
    files = {"FILE": text, "FOLDER": tmp_path} | {name.upper(): tmp_path / name for name in ("bad", "noise", "words")}
    with pytest.raises(UserError, match=message):
        call(*(files.get(word, word) for word in words))


def test_help_teaches() -> None:
    for command in ((), ("show",), ("analyse",), ("prove",)):
        assert len(call(*command, "--help").output.splitlines()) > 8
