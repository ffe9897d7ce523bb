# SPDX-License-Identifier: GPL-2.0-or-later
"""Compilers of all ABIs, and the cache of what they made."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from configs.loader import load_arch, load_profile
from configs.model import Abi, Arch, Toolchain
from configs.names import names
from initramfs.base import native_abi
from initramfs.busybox import is_static
from initramfs.toolchain import LINE_BUFFER, CompileError, compile_static, identity, missing
from util.children.program import Finished, run
from util.errors import MachineError
from util.paths import cache
from util.stop import Stop, Stopped

ABIS = {name: abi for arch in names("archs") for name, abi in load_arch(arch).abis.items()}
MACHINE = {
    "x86_64": ("EM_X86_64", 64),
    "x32": ("EM_X86_64", 32),
    "i386": ("EM_386", 32),
    "aarch64": ("EM_AARCH64", 64),
    "arm": ("EM_ARM", 32),
    "riscv64": ("EM_RISCV", 64),
    "s390x": ("EM_S390", 64),
    "s390": ("EM_S390", 32),
}
USUAL = {name for arch in load_profile("boot").archs for name in load_arch(arch).abis}
"""Those whose toolchains every machine has that runs these tests."""
HELLO = "#include <stdio.h>\nint main(void) { puts(WORD); return sizeof(long); }\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's cache is neither used nor filled."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello.c"
    path.write_text('#include "word.h"\n' + HELLO)
    (tmp_path / "word.h").write_text('#define WORD "one"\n')
    return path


@pytest.mark.parametrize("name", ABIS)
def test_each_abi_makes_a_static_program_of_its_own(name: str, hello: Path) -> None:
    if name not in USUAL and missing([ABIS[name].toolchain]):
        pytest.skip(f"no toolchain for {name}, which no profile asks for by itself")
    path = compile_static(ABIS[name].toolchain, [hello], "hello", stop=Stop())
    assert is_static(path)
    with path.open("rb") as file:
        elf = ELFFile(file)
        assert (elf["e_machine"], elf.elfclass) == MACHINE[name]
        assert ABIS[name].bits == elf.elfclass


def test_every_abi_of_the_data_is_tested() -> None:
    assert set(ABIS) == set(MACHINE)


@pytest.mark.slow
def test_a_header_a_flag_and_a_name_make_another_program(host_arch: Arch, hello: Path) -> None:
    chain = native_abi(host_arch).toolchain

    def make(name: str = "hello", *flags: str) -> Path:
        return compile_static(chain, [hello], name, flags=flags, stop=Stop())

    first = make()
    inode = first.stat().st_ino
    assert make() == first and first.stat().st_ino == inode
    (hello.parent / "word.h").write_text('#define WORD "one" /* the same to the compiler */\n')
    assert make() == first
    (hello.parent / "word.h").write_text('#define WORD "two"\n')
    second = make()
    assert len({first, second, make("other"), make("hello", "-O2")}) == 4
    assert subprocess.run([second], capture_output=True, check=False).stdout == b"two\n"


def test_the_preprocessor_runs_again_only_when_a_file_was_touched(
    host_arch: Arch, hello: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the last moment do not count as untouched: a further change might bear the same time."""
    chain, header = native_abi(host_arch).toolchain, hello.parent / "word.h"
    asked = []

    def counted(command: Sequence[str], **words: Any) -> Finished:
        asked.append("-E" in command)
        return run(command, **words)

    def make() -> Path:
        return compile_static(chain, [hello], "hello", stop=Stop())

    monkeypatch.setattr("initramfs.toolchain.run", counted)
    first = make()
    assert make() == first and asked == [True, False, True], "written just now"
    for path in (hello, header):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    assert [make(), make(), make()] == [first] * 3 and asked[3:] == [True]
    header.write_text('#define WORD "two"\n')
    os.utime(header, (1_600_000_001, 1_600_000_001))
    assert make() != first and asked[4:] == [True, False]
    header.write_text('#define WORD "longer"\n')
    os.utime(header, (1_600_000_001, 1_600_000_001))
    assert make() != first and asked[6:] == [True, False], "the size counts too"
    header.unlink()
    with pytest.raises(CompileError, match=r"word\.h: No such file") as caught:
        make()
    assert "-H" not in caught.value.command and not any(line[:1] == "." for line in caught.value.output.splitlines())


def test_an_archive_counts_by_its_content(host_arch: Arch, tmp_path: Path) -> None:
    chain = native_abi(host_arch).toolchain
    main, part, library = tmp_path / "main.c", tmp_path / "part.c", tmp_path / "libpart.a"
    main.write_text("int part(void);\nint main(void) { return part(); }\n")
    statuses = []
    for number in (4, 5):
        part.write_text(f"int part(void) {{ return {number}; }}\n")
        subprocess.run([chain.cc, "-c", str(part), "-o", str(tmp_path / "part.o")], check=True)
        library.unlink(missing_ok=True)
        subprocess.run(["ar", "rc", str(library), str(tmp_path / "part.o")], check=True)
        program = compile_static(chain, [main], "main", libraries=[str(library)], stop=Stop())
        statuses.append(subprocess.run([program], check=False).returncode)
    assert statuses == [4, 5]


def test_the_folder_of_the_source_is_not_in_the_program(
    host_arch: Arch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = native_abi(host_arch).toolchain
    found = []
    for name in ("a", "b"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name / "cache"))
        folder = tmp_path / name
        folder.mkdir()
        (folder / "where.c").write_text("#include <assert.h>\nint main(int n, char **v) { assert(n > 9 || !v); }\n")
        found.append(compile_static(chain, [folder / "where.c"], "where", flags=("-g",), stop=Stop()))
    data = [path.read_bytes() for path in found]
    assert found[0].parent.name == found[1].parent.name
    assert data[0] == data[1] and str(tmp_path).encode() not in data[0]


def test_a_source_that_does_not_compile_leaves_nothing(host_arch: Arch, tmp_path: Path) -> None:
    chain = native_abi(host_arch).toolchain
    broken, undefined = tmp_path / "broken.c", tmp_path / "undefined.c"
    broken.write_text("int main(void) { return nonsense; }\n")
    undefined.write_text("int nowhere(void);\nint main(void) { return nowhere(); }\n")
    before = sorted(cache("initramfs", "programs").iterdir())
    with pytest.raises(CompileError, match=r"broken.c:1:25: error: .*nonsense") as caught:
        compile_static(chain, [broken], "broken", stop=Stop())
    assert caught.value.command[0] == chain.cc
    with pytest.raises(CompileError, match="undefined reference to `nowhere'"):
        compile_static(chain, [undefined], "undefined", stop=Stop())
    after = [path for path in cache("initramfs", "programs").iterdir() if path.suffix != ".lock"]
    assert sorted(after) == [path for path in before if path.suffix != ".lock"]


def test_a_stopped_compile_leaves_nothing(host_arch: Arch, hello: Path) -> None:
    stop = Stop()
    stop.set()
    chain = native_abi(host_arch).toolchain
    slow = hello.with_name("slow.c")
    slow.write_text("\n".join(f"int f{n}(int x) {{ return x * {n}; }}" for n in range(60000)) + "\nint main(void) {}\n")
    with pytest.raises(Stopped):
        compile_static(chain, [slow], "slow", flags=("-O2",), stop=stop)
    assert not list(cache("initramfs", "programs").glob("*/slow"))
    assert not list(cache("initramfs", "programs").glob("*.part"))


def test_what_a_killed_run_left_is_swept_aside(host_arch: Arch, hello: Path) -> None:
    chain = native_abi(host_arch).toolchain
    path = compile_static(chain, [hello], "swept", stop=Stop())
    part = path.parent.with_name(f"{path.parent.name}.part")
    path.parent.rename(part)
    (part / "swept").write_bytes(b"half a program")
    again = compile_static(chain, [hello], "swept", stop=Stop())
    assert again == path and is_static(again) and not part.exists()


def test_an_absent_toolchain_is_named_with_its_packages() -> None:
    absent = Toolchain(cc="no-such-gcc", packages=("gcc-none", "libc-none"), triple="none")
    present = [ABIS[name].toolchain for name in sorted(USUAL)]
    assert missing(present) == []
    assert missing([*present, absent]) == ["gcc-none", "libc-none"]
    with pytest.raises(MachineError, match=r"no-such-gcc .* apt-get install gcc-none libc-none"):
        identity(absent)
    without_libc = present[0].model_copy(update={"libc": "/no/such/libc.a", "packages": ("libc-x",)})
    assert missing([without_libc]) == ["libc-x"]


def test_toolchains_differ_in_identity() -> None:
    here = {name: abi.toolchain for name, abi in ABIS.items() if name in USUAL or not missing([abi.toolchain])}
    assert len({identity(toolchain) for toolchain in here.values()}) == len(here)


def test_a_test_that_dies_has_said_what_it_said(host_arch: Arch, tmp_path: Path) -> None:
    source = tmp_path / "dies.c"
    source.write_text('#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts("ok 1"); abort(); }\n')
    chain = native_abi(host_arch).toolchain

    def said(*extra: Path) -> bytes:
        program = compile_static(chain, [source, *extra], "dies", stop=Stop())
        return subprocess.run([program], capture_output=True, check=False).stdout

    assert said() == b""
    assert said(LINE_BUFFER) == b"ok 1\n"


def test_the_native_abi_is_the_one_of_64_bits() -> None:
    for name in names("archs"):
        arch = load_arch(name)
        assert native_abi(arch) is arch.abis[name]
        renamed: dict[str, Abi] = {f"x-{key}": abi for key, abi in arch.abis.items()}
        assert native_abi(arch.model_copy(update={"abis": renamed})).bits == 64
