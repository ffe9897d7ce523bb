# SPDX-License-Identifier: GPL-2.0-or-later
"""What a program of the guest is told of its ABI, and that the file of every architecture tells all of it."""

from dataclasses import asdict

import pytest

from configs.loader import load_arch
from configs.model import Abi, Arch
from configs.names import names
from initramfs.abi_header import NAME, abi_flags, abi_header
from testcases.seccomp.bpf.seccomp_data import ABIS
from util.stop import Stop

ARCHS = [load_arch(name) for name in names("archs")]
EACH = [(arch, name, abi) for arch in ARCHS for name, abi in arch.abis.items()]
LITTLE, WIDE = 0x40000000, 0x80000000


@pytest.mark.parametrize(("arch", "name", "abi"), EACH, ids=lambda value: value if isinstance(value, str) else "")
def test_the_file_of_an_architecture_says_all_of_an_abi(arch: Arch, name: str, abi: Abi) -> None:
    text = abi_header(arch, abi)
    for wanted in ("uint64_t counter(void)", "void mark(void)", "long raw_call(", "TRAP_INSTRUCTION", "set_number("):
        assert wanted in text, name
    assert '"native_call_end:\\n"' in text
    assert f"#define ABI_AUDIT_ARCH {abi.system_calls.audit_arch:#x}u" in text


@pytest.mark.parametrize(("arch", "name", "abi"), EACH, ids=lambda value: value if isinstance(value, str) else "")
def test_an_audit_architecture_says_byte_order_and_width(arch: Arch, name: str, abi: Abi) -> None:
    """`include/uapi/linux/audit.h`; x32 is one of 64 bits there."""
    value = abi.system_calls.audit_arch
    assert bool(value & LITTLE) is (arch.byte_order == "little"), name
    assert bool(value & WIDE) is abi.system_calls.wide
    assert abi.system_calls.wide is (abi.bits == 64 or name == "x32")


def test_a_second_abi_has_its_table_behind_the_native_one(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arch = load_arch("s390x")
    text = abi_header(arch, arch.abis["s390"])
    assert '#define CACHE_NAMES "s390x", "s390"\n#define CACHE_ARCHS 0x80000016u, 0x16u\n#define CACHE_OWN 1\n' in text
    option, folder = abi_flags(arch, arch.abis["s390"], Stop())
    assert option == "-I"
    with open(f"{folder}/{NAME}", encoding="utf-8") as file:  # noqa: PTH123
        assert file.read() == text


@pytest.mark.parametrize(("arch", "name", "abi"), EACH, ids=lambda value: value if isinstance(value, str) else "")
def test_the_suites_quick_reader_sees_what_the_model_does(arch: Arch, name: str, abi: Abi) -> None:
    assert asdict(ABIS[name]) == abi.system_calls.model_dump(), arch.name
