# SPDX-License-Identifier: GPL-2.0-or-later
"""Against the kernel's own sources: its parser's test data, and its selftests built and run."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.loader import load_arch
from configs.model import Arch, SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import End
from guests.run.run import GuestRequest, run_guest
from initramfs.base import base_image, job_image
from initramfs.job import GuestJob
from kernels.source.resolve import Source, resolve_source
from kernels.source.store import Store
from testcases.ktap import parse
from testcases.ktap_tests import ParsedTap
from testcases.registry import find_suite
from testcases.selftests.build.inputs import export
from testcases.suite import Payload, SuiteContext
from util.events import silent
from util.stop import Stop

# The first of them may have to fetch and import a kernel source.
pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]

KUNIT = "tools/testing/kunit"


def source(spec: str) -> tuple[Store, Source]:
    store = Store()
    return store, resolve_source(spec, store, silent, Stop())


@pytest.fixture(scope="module")
def kunit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of 6.12 that holds the kernel's parser and what it is tested with."""
    store, found = source("debian:linux-source-6.12")
    folder = tmp_path_factory.mktemp("kunit")
    export(store, found.commit, [KUNIT], folder, Stop())
    return folder / KUNIT


def read_log(kunit: Path, name: str) -> ParsedTap:
    return parse((kunit / "test_data" / name).read_text())


def test_we_count_as_the_kernels_own_parser_does(kunit: Path) -> None:
    counter = Path(__file__).with_name("kunit_counts.py")
    done = subprocess.run([sys.executable, counter, kunit], capture_output=True, text=True, check=True)
    theirs: dict[str, list[int]] = json.loads(done.stdout)
    assert len(theirs) >= 20
    for name, (passed, failed, crashed, skipped) in theirs.items():
        report = read_log(kunit, name)
        if name == "test_is_test_passed-kselftest.log":
            # Theirs takes the lines behind `# ` for comments: 2 programs instead of the 4 tests inside.
            assert (passed, report.count(Status.PASS)) == (2, 4)
            continue
        ours = [report.count(status) for status in (Status.PASS, Status.FAIL, Status.SKIP)]
        assert ours == [passed, failed, skipped], name
        assert bool(crashed) == any("the output ends" in problem for problem in report.problems), name


OWN = Path(__file__).parent.parent
AFTER = "its plan stands behind the results, as TAP allows: the kernel's parser turns for ever and takes all memory"
ON_PURPOSE: dict[str, tuple[list[int] | None, list[int], str]] = {
    "diag-base.ktap": (None, [1, 0, 0], AFTER),
    "diag-judged.ktap": (None, [0, 1, 0], AFTER),
    "no-number.ktap": ([1, 0, 0], [1, 1, 0], "a failure without a number is one: theirs takes the line for talk"),
}
"""Where the kernel's parser counts otherwise (passed, failed, skipped; None: it does not return), and why we do not."""


def test_the_cases_are_counted_as_the_kernels_own_parser_does(kunit: Path) -> None:
    counter = Path(__file__).with_name("kunit_counts.py")
    cases = sorted(OWN.rglob("*.ktap"))
    assert len(cases) >= 5
    assert set(ON_PURPOSE) <= {case.name for case in cases}
    for case in cases:
        done = subprocess.run([sys.executable, counter, kunit, case], capture_output=True, text=True, check=False)
        counts = json.loads(done.stdout)[case.name] if done.returncode == 0 else None
        theirs = [counts[0], counts[1], counts[3]] if counts else None
        report = parse(case.read_text())
        ours = [report.count(status) for status in (Status.PASS, Status.FAIL, Status.SKIP)]
        assert (theirs, ours) == ON_PURPOSE.get(case.name, (ours, ours))[:2], case.name


def test_what_the_kernels_tests_assert_of_single_logs(kunit: Path) -> None:
    """The expectations of kunit_tool_test.py that counts do not show."""
    assert [test.name for test in read_log(kunit, "test_strip_hyphen.log").tests] == ["sysctl_test", "example"]
    for name in ("config_printk_time", "multiple_prefixes", "interrupted_tap_output", "pound_no_prefix", "pound_sign"):
        report = read_log(kunit, f"test_{name}.log")
        assert report.tests[0].name == "kunit-resource-test"
        assert report.problems == ()
    suite = read_log(kunit, "test_parse_ktap_output.log").tests[0]
    assert (suite.name, [test.name for test in suite.tests]) == ("suite", ["case_1", "case_2", "case_3"])
    panic = read_log(kunit, "test_kernel_panic_interrupt.log")
    assert [test.status for test in panic.tests] == [Status.PASS, Status.PASS, Status.FAIL]
    assert "`string-stream-test`: planned 3 tests, reported 1" in panic.problems
    assert not read_log(kunit, "test_is_test_passed-no_tests_run_no_header.log").found
    assert read_log(kunit, "test_is_test_passed-no_tests_run_with_header.log").plan == 0


def prepare(spec: str, abi: str, name: str) -> Payload:
    arch = load_arch("aarch64" if abi in ("aarch64", "arm") else "x86_64")
    store, found = source(spec)
    suite, _ = find_suite(name)
    choice = SuiteChoice(name=name)
    nowhere = Path("/nonexistent")  # a suite is made from the store, not from a checkout
    context = SuiteContext(choice, nowhere, found.commit, store, arch, abi, arch.abis[abi], silent, Stop())
    return suite.prepare(context)


TRIES = 2
"""Some of the kernel's own tests lose a race now and then: the tracer of seccomp_bpf.TRACE_* waits for ever where the
signal that ends it comes between its look at the flag and its wait() (seen once in some hundred runs). As in a check, a
test has failed when it failed in every guest."""


def run(
    built_kernel: Callable[[str], Path], folder: Path, abi: str, name: str
) -> tuple[Counter[Status], tuple[TestResult, ...]]:
    """One suite of 5.10 in one guest; after a failure that is not meant, in another one: what passed in any."""
    arch = load_arch("aarch64" if abi in ("aarch64", "arm") else "x86_64")
    payload = prepare("debian:linux-source-5.10", abi, name)
    build = built_kernel(arch.name)
    results: dict[str, TestResult] = {}
    for turn in range(TRIES):
        found = boot(arch, build, folder / str(turn), payload, name)
        results |= {item.name: item for item in found if item.name not in results or item.status is Status.PASS}
        if not any(is_unmeant(item, abi) for item in results.values()):
            break
    return Counter(result.status for result in results.values()), tuple(results.values())


def is_unmeant(result: TestResult, abi: str) -> bool:
    return result.status not in (Status.PASS, Status.SKIP) and not (abi == "x32" and result.name in FAIL_ON_X32)


def boot(arch: Arch, build: Path, folder: Path, payload: Payload, name: str) -> tuple[TestResult, ...]:
    machine = arch.machines[arch.default_machine]
    job = GuestJob("0123456789abcdef", payload.steps, time_scale=4)
    request = GuestRequest(
        arch=arch,
        machine=arch.default_machine,
        kernel=build / machine.image,
        vmlinux=build / "vmlinux",
        initrd=(base_image(arch, silent, Stop(), shell=payload.shell), job_image(job, payload.files)),
        job=job,
        accel="tcg",
        folder=folder,
    )
    outcome = run_guest(request, silent, Stop())
    assert outcome.end is End.FINISHED, outcome.message
    return find_suite(name)[0].read(payload, outcome)


FAIL_ON_X32 = ("seccomp_bpf.global.mode_strict_support",)
"""The kernel looks an x32 task's system call up in the table of ia32, and kills it for a permitted one."""


@pytest.mark.parametrize("abi", ["x86_64", "x32", "i386", "aarch64", "arm"])
def test_seccomp_on_5_10(built_kernel: Callable[[str], Path], tmp_path: Path, abi: str) -> None:
    counts, results = run(built_kernel, tmp_path, abi, "selftests/seccomp")
    failed = [result.name for result in results if result.status is Status.FAIL]
    assert failed == (list(FAIL_ON_X32) if abi == "x32" else [])
    assert counts[Status.PASS] == 88 - len(failed)
    assert counts[Status.ERROR] == counts[Status.MISS] == 0


@pytest.mark.parametrize(
    ("name", "abi", "passed"),
    [
        ("selftests/clone3", "x86_64", 50),  # the harness and tests of sentences; libcap
        ("selftests/clone3", "arm", 50),
        ("selftests/futex", "x86_64", 27),  # a shell script that runs programs
        ("selftests/futex", "aarch64", 27),
        ("selftests/membarrier", "x32", 28),  # kselftest.h
        ("selftests/membarrier", "arm", 28),
        ("selftests/capabilities", "i386", 22),  # libcap-ng; a program that runs another
        ("selftests/capabilities", "aarch64", 22),
        ("selftests/proc", "x86_64", 18),  # nothing but exit statuses
    ],
)
def test_other_kinds_of_selftests(
    built_kernel: Callable[[str], Path], tmp_path: Path, abi: str, name: str, passed: int
) -> None:
    if (name, abi) == ("selftests/futex", "arm"):
        # Its time-out of 2 s overflows a 32-bit long unless the clock's nanoseconds are few: the test's own fault.
        abi = "aarch64"
    counts, results = run(built_kernel, tmp_path, abi, name)
    assert [result for result in results if result.status not in (Status.PASS, Status.SKIP)] == []
    assert counts[Status.PASS] == passed


@pytest.mark.parametrize("abi", ["x86_64", "x32", "i386", "aarch64", "arm"])
def test_seccomp_of_6_12_is_built_for_every_abi(abi: str) -> None:
    payload = prepare("debian:linux-source-6.12", abi, "selftests/seccomp")
    assert [step.name for step in payload.steps] == ["seccomp_bpf"]
    assert [result.status for result in payload.settled] == [Status.SKIP]
    assert prepare("debian:linux-source-6.12", abi, "selftests/seccomp").digest == payload.digest
