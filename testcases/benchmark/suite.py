# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite: one program on a guest whose clock counts its instructions, and its lines as results."""

from pathlib import Path

from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import KERNEL_ENDS, End, Outcome, StepOutcome
from initramfs.cpio import file, program
from initramfs.job import Step
from initramfs.toolchain import CompileError, command_by_hand, compile_static
from kernels.kconfig.fragments import Fragment, inline_fragment
from testcases.benchmark import windows
from testcases.benchmark.figure_lines import ReadingError, parse, results
from testcases.benchmark.topic import FLAGS, find_topic, program_sources
from testcases.reading import read_step
from testcases.suite import Payload, Suite, SuiteContext, SuiteError, payload_digest

PLACE = "benchmark"
"""The folder of the program and its files in the guest."""
PROGRAM = "measure"
CLOCK = "clock/rate"
"""The figure that says how many ticks of the guest's counter are in a second of wall time."""
TIMEOUT = 60.0
"""Seconds of guest time for the program, before the accelerator's scale: a second is 10^9 instructions."""


class Benchmark:
    def folder(self, choice: SuiteChoice) -> str:
        find_topic(_topic(choice))
        return ""

    def fragments(self, choice: SuiteChoice, tree: Path) -> tuple[Fragment, ...]:  # noqa: ARG002
        return (inline_fragment(choice.name, find_topic(_topic(choice)).config()),)

    def commands(self, context: SuiteContext, tree: Path, out: Path) -> tuple[tuple[str, ...], ...]:  # noqa: ARG002
        sources = program_sources(find_topic(context.topic))
        compiler = command_by_hand(context.abi.toolchain, sources, out / PROGRAM, (*FLAGS, *context.abi_flags))
        return ("mkdir", "-p", str(out)), compiler

    def prepare(self, context: SuiteContext) -> Payload:
        """The program, for a guest that counts its instructions. With `wall` for one whose clock is the host's: figures
        are wall time then, in thousandths (`mticks`) of the ticks of which CLOCK says how many are in a second."""
        topic = find_topic(context.topic)
        try:
            sources = program_sources(topic)
            built = compile_static(
                context.abi.toolchain,
                sources,
                PROGRAM,
                flags=(*FLAGS, *context.abi_flags),
                stop=context.stop,
                emit=context.emit,
            )
        except CompileError as error:
            raise SuiteError(f"{context.choice.name} does not compile: {error.first_line}") from None
        name = f"{PLACE}/{PROGRAM}"
        files = (
            program(name, built.read_bytes()),
            file(f"{PLACE}/{windows.FILE}", windows.encode(context.figures)),
            *topic.files(context.arch, context.abi_name, context.figures),
        )
        timeout = float(context.choice.timeout or TIMEOUT)
        steps = (Step(context.choice.name, (f"/{name}", *topic.argv(context.wall)), cwd=f"/{PLACE}", timeout=timeout),)
        owed = topic.tests(context.arch, context.abi_name)
        return Payload(
            files,
            steps,
            payload_digest(files, steps),
            origins=tuple((test, "") for test in owed),
            smp=1,
            counted=not context.wall,
        )

    def read(self, payload: Payload, outcome: Outcome) -> tuple[TestResult, ...]:
        owed = [test for test, _ in payload.origins]
        (step,) = outcome.steps
        own = read_step(step, outcome)[0]
        try:
            readings = parse(_whole_lines(step))
        except ReadingError as error:
            return _with_program(own, Status.ERROR, str(error)), *results((), owed, str(error))
        blame = f"the program left no figure: {own.message or outcome.end}"
        tests = results(readings, owed, blame)
        if step.how == "exited" and step.value == 0 and outcome.end is End.FINISHED:
            return own, *tests
        return own, *(_lost(test, outcome) for test in tests)


def _topic(choice: SuiteChoice) -> str:
    return choice.name.partition("/")[2]


def _whole_lines(step: StepOutcome) -> str:
    """What was printed, without a last line that was cut off."""
    text = step.stdout.decode("utf-8", "replace")
    return text if step.how == "exited" else text[: text.rfind("\n") + 1]


def _with_program(own: TestResult, status: Status, message: str) -> TestResult:
    return TestResult(own.name, status, own.seconds, message, own.output)


def _lost(test: TestResult, outcome: Outcome) -> TestResult:
    """A test without figures of a program that did not come to its end: the kernel's fault where the guest's end is."""
    if test.status is not Status.MISS or outcome.end not in KERNEL_ENDS:
        return test
    return TestResult(test.name, Status.FAIL, message=test.message)


SUITE: Suite = Benchmark()
