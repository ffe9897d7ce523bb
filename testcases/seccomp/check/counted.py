# SPDX-License-Identifier: GPL-2.0-or-later
"""What is cached, told without the file: by counting the guest instructions of calls.

Every filter begins with LENGTH comparisons that decide nothing. A call that is not answered from the cache runs them,
at one guest instruction each at the very least; one that is answered from it runs none, and takes some hundred
instructions more than without any filter. The guest program is that of `benchmark/seccomp`.

Each result has the number of calls that were answered from the cache as a figure. With the option `cache: false`
nothing is judged: that is for kernels whose cache is not of the merged design.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from configs.model import SuiteChoice
from configs.result import HITS, Figure, Status, TestResult
from guests.crash.outcome import End, Outcome, StepOutcome
from initramfs.cpio import file, program
from initramfs.job import Step
from initramfs.toolchain import CompileError, command_by_hand, compile_static
from testcases.benchmark import windows
from testcases.benchmark.figure_lines import FigureLine, ReadingError, parse
from testcases.benchmark.topic import FLAGS, find_topic, program_sources
from testcases.reading import read_step
from testcases.seccomp import COUNTED
from testcases.seccomp.benchmark.plan import BenchmarkItem, ItemKind, encode
from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import Instruction, Program, Stack
from testcases.seccomp.bpf.opcodes import TAX
from testcases.seccomp.bpf.seccomp_data import ABIS, ARGS, RET_ALLOW, low_half, order_of_abi, together
from testcases.seccomp.edges.code import ALLOW, LD_ARCH, LD_NR, errno, jeq, jump, ld, ret, unless
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.prove.designs import Merged
from testcases.seccomp.prove.facts import kernel_facts
from testcases.suite import Payload, SuiteContext, SuiteError, payload_digest

LENGTH = 600
"""Comparisons at the front of each filter: several times what a call answered from the cache takes more than one
without a filter (128 instructions on x86_64 with our series)."""
_NEVER = 0x7E57E57
_PLACE, _PROGRAM, _PLAN = "seccomp", "measure", "plan"
_CHEAP = ("getpid", "getppid", "getuid", "geteuid", "getgid", "getegid")
"""Calls that only look something up. Which of them a stack denies or looks at more closely is below."""
_BAD = 0xFFFFFFFF
"""The first argument of every call: no file, no process."""
TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class _CountedCall:
    """How one number was answered under a stack: `more` instructions than without a filter, in one mode (interpreted or
    compiled)."""

    number: int
    mode: str
    more: int

    @property
    def cached(self) -> bool:
        return self.more < LENGTH

    def __str__(self) -> str:
        how = "from the cache" if self.cached else "by the filters"
        return f"nr {self.number:#x}: {self.more} instructions more than without a filter, {how} ({self.mode})"


def sampled(abi: str, size: int) -> tuple[int, ...]:
    """The numbers that are called, as the ABI enters them: cheap ones, and those around the bitmap's end."""
    offset = ABIS[abi].offset
    found = [nr for name in _CHEAP if (nr := number(name, abi)) is not None]
    found += [offset + nr for nr in (size - 1, size, size + 1)]
    for other in together(abi):  # the same numbers as another ABI that shares the architecture has them
        found += [nr - offset + ABIS[other].offset for nr in found[:2]]
    return tuple(dict.fromkeys(found))


def counted_stacks(abi: str) -> dict[str, Stack]:
    """By name; none denies what the guest program needs."""
    one, two, three, *_rest = (nr for name in _CHEAP if (nr := number(name, abi)) is not None)
    denied = unless([two], errno(3200))
    argument = (jeq(two, 0, 3), ld(low_half(ARGS, order_of_abi(abi))), jeq(_NEVER, 0, 1), errno(3201), ALLOW)
    scratch = (jeq(three, 0, 1), Instruction(TAX), ALLOW)
    own = (LD_ARCH, jeq(ABIS[abi].audit_arch, 0, 2), LD_NR, jump(bpf.JEQ, one, 1, 0), ALLOW, errno(3202))
    return {
        "allow": (_long(ALLOW),),
        "denied": (_long(*denied),),
        "argument": (_long(*argument),),
        "unknown-instruction": (_long(*scratch),),
        "allow-with-data": (_long(jeq(one, 0, 1), ret(RET_ALLOW | 1), ALLOW),),
        "own-arch": (_long(*own),),
        "pair": (_long(*denied), _long(*unless([three], errno(3203)))),
        "looser": (_long(*denied), _long(ALLOW)),
    }


def _long(*rest: Instruction) -> Program:
    """The number is in A behind the comparisons."""
    return (LD_NR, *[jeq(_NEVER, 0, 0)] * LENGTH, *rest)


def counted_command(context: SuiteContext, out: Path) -> tuple[str, ...]:
    """The compiler's argument list by hand, for the folder `out`."""
    flags = (*FLAGS, *context.abi_flags)
    return command_by_hand(context.abi.toolchain, program_sources(find_topic("seccomp")), out / "measure", flags)


def counted_payload(context: SuiteContext, kernel: str) -> Payload:
    """Raises SuiteError, MachineError, Stopped."""
    sources = program_sources(find_topic("seccomp"))
    try:
        built = compile_static(
            context.abi.toolchain,
            sources,
            "measure",
            flags=(*FLAGS, *context.abi_flags),
            stop=context.stop,
            emit=context.emit,
        )
    except CompileError as error:
        raise SuiteError(f"measure does not compile: {error.first_line}") from None
    plan = encode(_items(context.abi_name, kernel), context.arch.byte_order)
    return payload_of(context.abi_name, kernel, built.read_bytes(), plan, context.choice)


def payload_of(abi: str, kernel: str, measure: bytes, plan: bytes, choice: SuiteChoice) -> Payload:
    """`measure` and what it reads in its folder: the plan, and that no figure is to be explained."""
    files = (
        program(f"{_PLACE}/{_PROGRAM}", measure),
        file(f"{_PLACE}/{_PLAN}", plan),
        file(f"{_PLACE}/{windows.FILE}", windows.encode(())),
    )
    env = (("ABI", abi), ("KERNEL", kernel), ("CACHE", "1" if choice.options.get("cache", True) else "0"))
    argv = (f"/{_PLACE}/{_PROGRAM}", _PLAN)
    step = Step(COUNTED, argv, env=env, cwd=f"/{_PLACE}", timeout=float(choice.timeout or TIMEOUT))
    return Payload(files, (step,), payload_digest(files, (step,)), counted=True)


def _items(abi: str, kernel: str) -> Iterator[BenchmarkItem]:
    size = kernel_facts(kernel).sizes[ABIS[abi].audit_arch]
    for name, stack in {"none": (), **counted_stacks(abi)}.items():
        for nr in sampled(abi, size):
            yield BenchmarkItem(f"{name}/{nr:#x}", ItemKind.CALL, stack, nr, _BAD)


def read_counted(step: StepOutcome, outcome: Outcome) -> tuple[TestResult, ...]:
    """The program's own result, and one for each stack."""
    own = read_step(step, outcome)[0]
    options = dict(step.step.env)
    names = counted_stacks(options["ABI"])
    try:
        readings = parse(step.stdout.decode("utf-8", "replace"))
    except ReadingError as error:
        readings = []
        own = TestResult(own.name, Status.ERROR, own.seconds, str(error), own.output)
    whole = own.status is Status.PASS and outcome.end is End.FINISHED
    if not whole:
        return own, *(TestResult(name, Status.MISS, message=f"was not measured: {own.message}") for name in names)
    return own, *judged(options["ABI"], options["KERNEL"], readings, options["CACHE"] == "1")


def judged(abi: str, kernel: str, readings: list[FigureLine], by_model: bool = True) -> Iterator[TestResult]:
    """One result for each stack. A kernel that answers nothing from a cache has none, and is not judged; nor is any
    kernel unless `by_model`."""
    facts, arch = kernel_facts(kernel), ABIS[abi].audit_arch
    stacks, model = counted_stacks(abi), Merged(facts)
    numbers = sampled(abi, facts.sizes[arch])
    answers = {name: list(_answers(name, numbers, readings)) for name in stacks}
    any_cached = any(answer.cached for found in answers.values() for answer in found)
    for name, stack in stacks.items():
        found, wanted = answers[name], model.cached(stack, arch)
        lost = set(numbers) - {answer.number for answer in found}
        wrong = [answer for answer in found if answer.cached != (answer.number in wanted)]
        text = "\n".join(map(str, found))
        count = Figure("cached", len({answer.number for answer in found if answer.cached}), HITS)
        result = TestResult(name, Status.PASS, output=text, figures=(count,))
        if lost:
            lacking = f"not counted: {', '.join(map(hex, sorted(lost)))}"
            yield replace(result, status=Status.MISS, message=lacking, figures=())
        elif by_model and not any_cached:
            yield replace(result, status=Status.SKIP, message="this kernel answers no call from a cache")
        elif by_model and wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            yield replace(result, status=Status.FAIL, message=f"{wrong[0]}, and should not be{more}")
        else:
            yield result


def _answers(name: str, numbers: tuple[int, ...], readings: list[FigureLine]) -> Iterator[_CountedCall]:
    taken = {(reading.test, reading.name): reading.figure.value for reading in readings if reading.figure}
    for nr in numbers:
        free = taken.get((f"none/{nr:#x}", "unfiltered"))
        for (test, mode), value in taken.items():
            if test == f"{name}/{nr:#x}" and free is not None:
                yield _CountedCall(nr, mode, value - free)
