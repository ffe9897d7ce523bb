# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read from a build's log. The lines are from real builds, GCC 12 and binutils 2.40 unless said."""

import pytest

from kernels.build.diagnostics import BuildWarning, find_warnings, first_error, machine_fault, target_of

PREFIXES = ("/src/", "/out/")


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("  CC      kernel/seccomp.o", "kernel/seccomp.o"),
        ("  HOSTCC  scripts/basic/fixdep", "scripts/basic/fixdep"),
        ("  VDSO2C  arch/x86/entry/vdso/vdso-image-64.c", "arch/x86/entry/vdso/vdso-image-64.c"),
        ("  CC [M]  drivers/x.o", "drivers/x.o"),
        ("  LD      .tmp_vmlinux.kallsyms1", ".tmp_vmlinux.kallsyms1"),
        ("make[1]: Entering directory '/out'", ""),
        ("    4 | static int never_used(void)", ""),
        ("  int x;", ""),
    ],
)
def test_targets(line: str, target: str) -> None:
    assert target_of(line) == target


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        (
            "/src/kernel/sched/fair.c:8653:13: warning: 'update_nohz_stats' defined but not used [-Wunused-function]",
            BuildWarning("kernel/sched/fair.c", 8653, "'update_nohz_stats' defined but not used", "-Wunused-function"),
        ),
        (
            "<stdin>:1511:2: warning: #warning syscall clone3 not implemented [-Wcpp]",
            BuildWarning("<stdin>", 1511, "#warning syscall clone3 not implemented", "-Wcpp"),
        ),
        (
            "kernel/fork.o: warning: objtool: copy_process()+0x123: unreachable instruction",
            BuildWarning("kernel/fork.o", 0, "objtool: copy_process()+0x123: unreachable instruction"),
        ),
        (
            "WARNING: modpost: vmlinux.o: section mismatch in reference: x (section: .text) -> y (section: .init.text)",
            BuildWarning(
                "",
                0,
                "modpost: vmlinux.o: section mismatch in reference: x (section: .text) -> y (section: .init.text)",
            ),
        ),
        (
            "WARNING: vmlinux.o(.text+0x1f5e): Section mismatch in reference from the function a() to the function b()",
            BuildWarning("vmlinux.o", 0, "Section mismatch in reference from the function a() to the function b()"),
        ),
        (
            "ld: warning: arch/x86/boot/pmjump.o: missing .note.GNU-stack section implies executable stack",
            BuildWarning("arch/x86/boot/pmjump.o", 0, "missing .note.GNU-stack section implies executable stack"),
        ),
        (
            "aarch64-linux-gnu-ld: warning: vmlinux has a LOAD segment with RWX permissions",
            BuildWarning("", 0, "vmlinux has a LOAD segment with RWX permissions"),
        ),
        (
            "/src/arch/arm64/boot/dts/x.dts:12.3-14.5: Warning (unit_address_vs_reg): /soc: node has a unit name",
            BuildWarning("arch/arm64/boot/dts/x.dts", 12, "/soc: node has a unit name", "unit_address_vs_reg"),
        ),
        (
            "arch/x86/Kconfig:12:warning: leading whitespace ignored",
            BuildWarning("arch/x86/Kconfig", 12, "leading whitespace ignored"),
        ),
    ],
)
def test_warnings(line: str, warning: BuildWarning) -> None:
    assert find_warnings(["  CC      a.o", line, line], PREFIXES) == {"a.o": (warning,)}


@pytest.mark.parametrize(
    "line",
    [
        "/src/a.c:1:2: error: expected ';'",
        "/src/a.c:3:4: note: declared here",
        "make[2]: *** [Makefile:5: warning: x] Error 1",
        ".config:1196:warning: override: reassigning to symbol SLUB",
    ],
)
def test_no_warnings(line: str) -> None:
    assert find_warnings([line], PREFIXES) == {}


def test_moved_lines_and_addresses_are_the_same_warning() -> None:
    one = BuildWarning("a.o", 0, "objtool: f()+0x12: odd")
    assert one.key == BuildWarning("a.o", 0, "objtool: f()+0x34: odd").key
    assert (
        BuildWarning("a.c", 1, "t", "-Wx").key
        == BuildWarning("a.c", 2, "t", "-Wx").key
        != BuildWarning("b.c", 1, "t", "-Wx").key
    )


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (
            ["make[2]: *** [x] Error 1", "/src/kernel/a.c:5:7: error: expected ';' before '}' token"],
            "kernel/a.c:5:7: expected ';' before '}' token",
        ),
        (["/src/a.c:1:10: fatal error: no.h: No such file or directory"], "a.c:1:10: no.h: No such file or directory"),
        (
            ["ld: kernel/a.o: in function `f':", "/src/kernel/a.c:5: undefined reference to `g'"],
            "/src/kernel/a.c:5: undefined reference to `g'",
        ),
        (['ERROR: modpost: "x" [y.ko] undefined!'], 'ERROR: modpost: "x" [y.ko] undefined!'),
        (["arch/x86/Kconfig:5: syntax error"], "arch/x86/Kconfig:5: syntax error"),
        (["make[1]: *** No rule to make target 'a.o', needed by 'built-in.a'.  Stop."],
         "make[1]: *** No rule to make target 'a.o', needed by 'built-in.a'.  Stop."),
        (["/src/a.S:12: Error: no such instruction: `foo'"], "a.S:12: no such instruction: `foo'"),
        (["all is well"], ""),
    ],
)  # fmt: skip
def test_first_error(lines: list[str], error: str) -> None:
    assert first_error(lines, PREFIXES).replace("/src/", "") == error.replace("/src/", "")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("gcc: fatal error: Killed signal terminated program cc1", True),
        ("collect2: fatal error: ld terminated with signal 9 [Killed]", True),
        ("make[3]: *** [scripts/Makefile.build:286: kernel/a.o] Killed", True),
        ("make[3]: *** [scripts/Makefile.build:286: kernel/a.o] Terminated", True),
        ("gcc: fatal error: Terminated signal terminated program cc1", True),
        ("make[3]: *** [scripts/Makefile.build:286: kernel/a.o] Segmentation fault", False),
        ("/src/kernel/a.c:9:1: fatal error: error writing to /tmp/ccx.s: No space left on device", True),
        ("cc1: out of memory allocating 65536 bytes after a total of 1 bytes", True),
        ("/src/kernel/a.c:9:2: error: #error No space left on device", False),
        ("/src/kernel/a.c:9:2: warning: 'Killed' No space left on device", False),
        ("  CC      kernel/killed.o", False),
    ],
)
def test_the_machines_fault(line: str, fault: bool) -> None:
    assert bool(machine_fault([line])) is fault
