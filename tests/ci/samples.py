# SPDX-License-Identifier: GPL-2.0-or-later
"""Small results models for the tests of ci/: every function makes one piece, with defaults that are worth nothing."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from ci.model.results import HostRecord, Run
from ci.model.stages import BuildResult, CellResult
from ci.model.variants import PatchRecord, SeriesRecord, SourceRecord, Variant
from ci.verdict.conclude import conclude
from ci.verdict.guest_tests import guest_tests
from configs.result import Cell, Status, TestResult
from guests.crash.outcome import End, Fault
from kernels.build.diagnostics import BuildWarning

TODAY = date(2026, 6, 1)
SUITE = "selftests/seccomp"
PANIC = Fault(
    kind="panic",
    title="Kernel panic - not syncing: Attempted to kill init!",
    lines=("Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b", "Call Trace:"),
    trace=("do_exit at kernel/exit.c:807", "__seccomp_filter at kernel/seccomp.c:1034"),
    fatal=True,
    step="seccomp_bpf",
)
SPLAT = Fault(kind="warn", title="WARNING in seccomp_cache_prepare", lines=("WARNING: CPU: 0 PID: 1",))


def cell_name(variant: str, arch: str = "x86_64", abi: str = "x86_64", flavour: str = "plain") -> Cell:
    return Cell(variant, arch, abi, flavour, SUITE)


def ran(
    variant: str,
    tests: Mapping[str, Status],
    *,
    arch: str = "x86_64",
    abi: str = "x86_64",
    end: str = "finished",
    faults: Iterable[Fault] = (),
    attempt: int = 0,
    suite_variant: str = "",
) -> CellResult:
    """A cell whose guest was started."""
    listed = tuple(faults)
    lines = tuple(
        TestResult(
            name,
            status,
            0.25,
            "" if status is Status.PASS else f"{name} said {status}",
            f"# {name}: expected 0, got -1\n" if status is Status.FAIL else "",
            "tools/testing/selftests/seccomp/seccomp_bpf.c",
        )
        for name, status in tests.items()
    )
    message = "" if end == "finished" else f"guest: {end}"
    return CellResult(
        cell=cell_name(variant, arch, abi),
        tests=(*lines, *guest_tests(End(end), message, listed, 1.5)),
        attempt=attempt,
        suite_variant=suite_variant,
        booted=True,
        end=end,
        message=message,
        faults=listed,
        machine="microvm",
        accel="tcg",
        qemu_version="7.2.19",
        seconds=1.5,
        took={line.name: 0.2 for line in lines if "." not in line.name},
        console=f"{variant}-{arch}-{abi}/console.log",
        console_tail=("Run /init as init process", "last line of the console"),
        command=("qemu-system-x86_64", "-M", "microvm,acpi=off", "-append", "console=ttyS0 panic=-1"),
        reproduce=("./rig.py", "check", "--arch", arch, "--abi", abi, "--suite", SUITE),
    )


def not_run(variant: str, reason: str, arch: str = "x86_64", abi: str = "x86_64") -> CellResult:
    return CellResult(cell=cell_name(variant, arch, abi), not_run=reason)


def built(variant: str, ok: bool = True, warnings: Iterable[BuildWarning] = (), arch: str = "x86_64") -> BuildResult:
    return BuildResult(
        variant=variant,
        arch=arch,
        flavour="plain",
        ok=ok,
        failure="" if ok else "kernel/seccomp.c:42:1: error: expected ';' before '}' token",
        log_tail=() if ok else ("make[1]: *** [kernel/seccomp.o] Error 1",),
        warnings=tuple(warnings),
        seconds=180.5,
        key="0123abcd",
        commands=(("make", "ARCH=x86_64", "O=/build dir", "bzImage"),),
        config=f"{variant}-{arch}/config",
        log=f"{variant}-{arch}/log",
    )


def run_of(
    cells: Iterable[CellResult], builds: Iterable[BuildResult] = (), *, variants: Iterable[Variant] | None = None
) -> Run:
    """A run that is not judged yet."""
    sides = (Variant(name="base", patches=0), Variant(name="patched")) if variants is None else tuple(variants)
    return Run(
        rig_version="0.1.0",
        started=datetime(2026, 6, 1, 12, 30, tzinfo=UTC),
        seconds=83.4,
        command=("./rig.py", "check", "--series", "my series.mbox"),
        profile="seccomp-cache",
        source=SourceRecord(
            spec="debian:linux-source-5.10",
            title="linux-source-5.10",
            version="5.10.262",
            commit="c0ffee" * 6 + "c0ff",
            tree="7ee" * 13 + "7",
        ),
        series=SeriesRecord(
            title="seccomp: cache constant actions",
            origin="kernels/series/seccomp-cache",
            version=4,
            digest="d16e57",
            patches=(
                PatchRecord(number=1, subject="seccomp: one", author="A <a@example.org>", patch_id="aa"),
                PatchRecord(number=2, subject="seccomp: two", author="Ä Ö <b@example.org>", patch_id="bb"),
            ),
        ),
        host=HostRecord(
            cpus=2, machine="x86_64", system="Debian 12", qemu="7.2.19", accel={"x86_64": "tcg"}, sandbox="bwrap"
        ),
        variants=sides,
        builds=tuple(builds),
        cells=tuple(cells),
    )


def judged(cells: Iterable[CellResult], builds: Iterable[BuildResult] = ()) -> Run:
    return conclude(run_of(cells, builds), today=TODAY)
