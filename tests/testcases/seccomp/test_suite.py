# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite from its choice to its payload, and from a guest's outcome to its results."""

import subprocess
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from configs.loader import load_arch, load_profile
from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import End, Outcome, StepOutcome
from initramfs.abi_header import abi_flags
from initramfs.toolchain import compile_static
from testcases.registry import find_suite
from testcases.seccomp import PROGRAMS, TOPICS
from testcases.seccomp.agent import batch as batches
from testcases.seccomp.agent.batch import Batch, Door, Way
from testcases.seccomp.agent.observation import AnswerKind, Observation, observe
from testcases.seccomp.agent.programs import FLAGS, agent_payload, batch_of, sources, tap_payload
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Instruction, Program, Stack
from testcases.seccomp.bpf.opcodes import DIV_X, LD_ABS, LD_IMM, RET_K
from testcases.seccomp.bpf.seccomp_data import ABIS, RET_ALLOW, RET_KILL_PROCESS, RET_KILL_THREAD
from testcases.seccomp.check.context import CheckContext
from testcases.seccomp.check.results import results
from testcases.seccomp.edges.code import LD_NR, errno, jeq, ret, unless
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.reproducer import FilterCase, load, save
from testcases.seccomp.fuzz.generate import random_stack
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.suite import Seccomp, kernel_version
from testcases.seccomp.trials.predict import KILLS
from testcases.seccomp.trials.prepared import prepared
from testcases.seccomp.trials.stacks import group_of, ingredients, probes, stacks
from testcases.seccomp.trials.tables import tables
from testcases.seccomp.trials.trials import make_batch
from testcases.seccomp.trials.ways import ways
from testcases.suite import Payload
from tests.testcases.seccomp.check.played import PlayedKernel
from util.errors import UserError
from util.stop import Stop

SUITE = Seccomp()
FUZZ = SuiteChoice(name="seccomp/fuzz", options={"stacks": 3})


def batch() -> Batch:
    return make_batch("i386", (NamedStack(f"few/{seed}", random_stack(seed)) for seed in (1, 2, 3)), "5.10")


def payload() -> Payload:
    return agent_payload("i386", b"ELF", batches.encode(batch()), FUZZ)


def outcome(made: Payload, stdout: bytes, how: str = "exited", value: int = 0, end: End = End.FINISHED) -> Outcome:
    step = StepOutcome(made.steps[0], how, value, 1.0, stdout, b"")
    message = "" if end is End.FINISHED else "Kernel panic - not syncing"
    return Outcome(end, message, (step,), (), Path("console.log"), (), "tcg", "7.2", 1.0)


def by_name(found: tuple[TestResult, ...]) -> dict[str, TestResult]:
    return {result.name: result for result in found}


def test_it_is_found_by_its_name() -> None:
    suite, topic = find_suite("seccomp/edges")
    assert isinstance(suite, Seccomp)
    assert topic in TOPICS
    for profile in ("seccomp-cache", "seccomp-cache-revert"):
        for choice in load_profile(profile).suites:
            found, _topic = find_suite(choice.name)
            if isinstance(found, Seccomp):
                assert found.folder(choice) == ""


@pytest.mark.parametrize("name", ["seccomp", "seccomp/edge"])
def test_a_topic_that_does_not_exist(name: str) -> None:
    with pytest.raises(UserError, match="say which one: seccomp/attach, seccomp/corpus"):
        SUITE.folder(SuiteChoice(name=name))


def test_an_option_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="no option `sead`"):
        list(stacks(SuiteChoice(name="seccomp/fuzz", options={"sead": 1}), "x86_64", "x32"))


def test_the_same_seed_gives_the_same_stacks() -> None:
    one, two = (list(stacks(FUZZ, "x86_64", abi)) for abi in ("x86_64", "i386"))
    other = list(stacks(SuiteChoice(name="seccomp/fuzz", options={"stacks": 3, "seed": 2}), "x86_64", "x86_64"))
    assert one == two
    assert one != other
    assert len(one) == len(other) == 3


def test_a_user_replays_files(tmp_path: Path) -> None:
    (tmp_path / "a.asm").write_text("ld [0]\njeq #39, deny, allow\ndeny: ret #0x50001\nallow: ret #0x7fff0000\n")
    choice = SuiteChoice(name="seccomp/replay", options={"files": str(tmp_path / "a.asm")})
    (made,) = stacks(choice, "x86_64", "x86_64")
    assert (group_of(made.name), len(made.stack), made.way) == ("replay/a.asm", 1, Way.PLAIN)
    with pytest.raises(UserError, match="needs the option `files`"):
        list(stacks(SuiteChoice(name="seccomp/replay"), "x86_64", "x86_64"))


def test_the_call_of_a_case_is_made_again(tmp_path: Path) -> None:
    """With its own arguments, whichever share of the numbers a replay calls."""
    args = (7, 0, 0, 0, 0, 1 << 40)
    harmless = number("fcntl", "x86_64") or 0
    for nr in (2, 200, 400, harmless):
        case = FilterCase(abi="x86_64", nr=nr, arch=ABIS["x86_64"].audit_arch, args=args, way="PLAIN", between=True)
        save(tmp_path / "case", case, ((ret(RET_ALLOW),), (errno(1),)))
        choice = SuiteChoice(name="seccomp/replay", options={"files": str(tmp_path / "case")})
        made = batches.decode(prepared(choice, "x86_64", "x86_64", "5.10", Stop()))
        whole, alone = made.trials
        assert (whole.name, alone.name) == ("replay/case/stack", "replay/case/call")
        (work,), (between,) = alone.works, alone.between
        for place in (work.table, between.table):
            assert (made.tables[place].args, made.tables[place].numbers) == (args, [nr])
            assert made.tables[place].alone == (nr != harmless)
        assert (work.skipped, between.filter, between.numbers) == (frozenset(), 0, (nr,))
        assert not list(probes(choice, "x32"))


VERSIONS = {
    "5\nPATCHLEVEL = 10": "5.10",
    "6\nPATCHLEVEL = 9": "6.1",
    "9\nPATCHLEVEL = 0": "7.2",
    "4\nPATCHLEVEL = 9": "5.10",
}


@pytest.mark.parametrize(("text", "wanted"), VERSIONS.items())
def test_the_facts_of_a_tree(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "Makefile").write_text(f"VERSION = {text}\nSUBLEVEL = 3\n")
    assert kernel_version(tmp_path) == wanted


@pytest.mark.parametrize("abi", ["x86_64", "x32", "i386", "aarch64", "arm"])
def test_every_number_and_every_edge_is_called(abi: str) -> None:
    bit = 0x40000000 if abi == "x32" else 0
    own = set(tables(abi)[0].numbers)
    assert {bit | nr for nr in range(473)} <= own
    assert {0xFFFFFFFF, 0x7FFFFFFF} <= own
    assert len(own) == len(tables(abi)[0].numbers)


def test_a_guest_that_finished() -> None:
    made = payload()
    found = by_name(SUITE.read(made, outcome(made, PlayedKernel("i386").stream(batch()))))
    assert {result.status for result in found.values()} == {Status.PASS}
    assert "3 stacks" in found["agent"].message
    assert "few/1.behaviour" in found


class RunsAnyway(PlayedKernel):
    def decide(self, stack: Stack, call: Call) -> int:
        value = Decider(stack).decide(call)
        return RET_ALLOW if call.nr == 20 and value != RET_ALLOW else value


def test_what_failed_is_saved_beside_the_console(tmp_path: Path) -> None:
    refused = (LD_NR, *unless([20], errno(3000)))
    made = make_batch("i386", [NamedStack("few/refused", (refused,))], "5.10")
    ready = agent_payload("i386", b"ELF", batches.encode(made), FUZZ)
    ended = replace(outcome(ready, RunsAnyway("i386").stream(made)), console=tmp_path / "console.log")
    found = by_name(SUITE.read(ready, ended))
    assert found["few/refused.behaviour"].status is Status.FAIL
    case, stack = load(tmp_path / "reproducers" / "few-refused")
    assert (case.nr, stack) == (20, (refused,))
    assert "returned what it returns without a filter" in case.observed


def test_a_guest_that_crashed_keeps_what_was_finished_and_names_the_stack() -> None:
    made = payload()
    stream = PlayedKernel("i386", break_off=1).stream(batch())
    found = by_name(SUITE.read(made, outcome(made, stream, "unfinished", end=End.PANIC)))
    assert found["agent"].status is Status.FAIL
    assert found["agent"].message == "the guest ended under the stack few/2: Kernel panic - not syncing"
    assert found["few/1.behaviour"].status is Status.PASS
    assert found["few/2.behaviour"].status is found["few/3.behaviour"].status is Status.MISS


@pytest.mark.parametrize(
    ("how", "value", "end", "status", "words"),
    [
        ("unfinished", 0, End.QEMU_DIED, Status.MISS, "the guest ended"),
        ("never-ran", 0, End.PANIC, Status.MISS, "did not run"),
        ("timeout", 0, End.FINISHED, Status.FAIL, "had not ended in time"),
        ("signalled", 11, End.FINISHED, Status.FAIL, "was killed by signal 11"),
        ("exited", 1, End.FINISHED, Status.ERROR, "ended with exited 1"),
        ("exited", 0, End.FINISHED, Status.ERROR, "ended with exited 0"),
    ],
)
def test_an_agent_that_did_not_come_to_its_end(how: str, value: int, end: End, status: Status, words: str) -> None:
    made = payload()
    found = by_name(SUITE.read(made, outcome(made, b"", how, value, end)))
    assert (found["agent"].status, words in found["agent"].message) == (status, True)
    assert found["few/1.attach"].status is Status.MISS


def test_the_file_is_a_program_of_its_own() -> None:
    made = tap_payload("procfile", b"ELF", SuiteChoice(name="seccomp/proc"))
    found = by_name(SUITE.read(made, outcome(made, b"TAP version 13\n1..1\n# mode 444\nnot ok 1 mode\n", value=0)))
    assert found["procfile.mode"].status is Status.FAIL


def test_a_payload_depends_on_all_that_it_holds() -> None:
    made = batches.encode(batch())
    uncached = FUZZ.model_copy(update={"options": {"cache": False}})
    digests = {
        agent_payload("i386", b"ELF", made, FUZZ).digest,
        agent_payload("i386", b"ELF2", made, FUZZ).digest,
        agent_payload("i386", b"ELF", made, uncached).digest,
        agent_payload("i386", b"ELF", batches.encode(replace(batch(), kernel="6.1")), FUZZ).digest,
        agent_payload("i386", b"ELF", batches.encode(replace(batch(), trials=batch().trials[:1])), FUZZ).digest,
    }
    assert len(digests) == 5


def compiled(program: str, arch_name: str, abi_name: str) -> Path:
    arch = load_arch(arch_name)
    abi = arch.abis[abi_name]
    flags = (*FLAGS, *abi_flags(arch, abi, Stop()))
    return compile_static(abi.toolchain, sources(program), program, flags=flags, stop=Stop())


@pytest.mark.real
@pytest.mark.parametrize("program", ["agent", *PROGRAMS.values()])
@pytest.mark.parametrize(("arch", "abi"), [("x86_64", "x86_64"), ("x86_64", "x32"), ("x86_64", "i386"),
                                           ("aarch64", "aarch64"), ("aarch64", "arm")])  # fmt: skip
def test_the_programs_compile_without_a_warning(program: str, arch: str, abi: str) -> None:
    assert compiled(program, arch, abi).is_file()


def observed(made: Batch, folder: Path) -> Observation:
    """By the agent on the kernel that runs here, in an IPC namespace of its own, since some of its calls leave message
    queues behind. It needs root."""
    (folder / "batch").write_bytes(batches.encode(made))
    command = ["unshare", "--ipc", str(compiled("agent", "x86_64", "x86_64")), str(folder / "batch")]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    if b"Operation not permitted" in done.stderr:
        pytest.skip(f"not here: {done.stderr.decode()}")
    seen = observe(done.stdout)
    assert seen.complete, done.stderr
    return seen


@pytest.mark.real
def test_calls_that_end_a_task_are_its_last(tmp_path: Path) -> None:
    """Those that go on with what they find on the stack have a task of their own."""
    kills = (LD_NR, *unless((20, 21, 22), ret(RET_KILL_PROCESS)))
    named = [NamedStack(f"few/{index}", ((ret(RET_ALLOW),),)) for index in range(18)]
    made = make_batch("x86_64", [*named, NamedStack("few/kills", (kills,))], "6.12")
    seen = observed(made, tmp_path)
    wild = number("rt_sigreturn", "x86_64")
    ended: dict[int, set[AnswerKind]] = {}
    for index, trial in enumerate(made.trials[:-1]):
        for place, single in enumerate(trial.singles):
            assert single.last is (single.nr not in (wild, number("pause", "x86_64")))
            ended.setdefault(single.nr, set()).add(seen.trials[index].singles[place].kind)
    assert ended.pop(number("pause", "x86_64") or 0) == {AnswerKind.BLOCKED}
    assert len(ended.pop(wild or 0)) == 1
    assert {nr for nr, kinds in ended.items() if kinds == {AnswerKind.EXITED}} == {60, 231}
    assert {nr for nr, kinds in ended.items() if kinds == {AnswerKind.RETURNED}} == {37, 57, 58}
    killed = [single for single in made.trials[-1].singles if single.nr in (20, 21, 22)]
    assert len(killed) == 6
    assert all(single.last for single in killed)
    under = seen.trials[len(made.trials) - 1]
    for place, single in enumerate(made.trials[-1].singles):
        assert (under.singles[place].kind is AnswerKind.KILLED) is (single in killed)


@pytest.mark.real
def test_the_agent_on_the_kernel_that_runs_here(tmp_path: Path) -> None:
    asks = [NamedStack(f"few/{name}", (asking(name, "x86_64"),)) for name in ("clone", "pselect6", "exit_group")]
    named = (NamedStack("few/1", random_stack(1)), *islice(ways("x86_64"), None, None, 2), *asks)
    made = make_batch("x86_64", named, "6.12")
    assert {trial.way for trial in made.trials} == set(Way)
    seen = observed(made, tmp_path)
    context = CheckContext("x86_64", number("seccomp", "x86_64") or 0, made, seen)
    for result in results(context, cache=False, excuse=""):
        assert result.status is Status.PASS, result.message
    assert alone_under("few/clone", made, seen) == {AnswerKind.RETURNED: {-11, -3000}}
    assert alone_under("few/pselect6", made, seen) == {AnswerKind.BLOCKED: {0}, AnswerKind.RETURNED: {-3000}}
    assert alone_under("few/exit_group", made, seen) == {AnswerKind.EXITED: {0}, AnswerKind.RETURNED: {-3000}}


def alone_under(name: str, made: Batch, seen: Observation) -> dict[AnswerKind, set[int]]:
    """What came of the calls that had a task each."""
    index = [trial.name for trial in made.trials].index(name)
    found: dict[AnswerKind, set[int]] = {}
    for place, runs in seen.trials[index].runs.items():
        table = made.tables[place]
        natural = dict(zip(table.numbers, seen.natural[place], strict=True))
        numbers = iter(table.numbers)
        for run in runs if table.alone else ():
            for nr in islice(numbers, run.length):
                answer = natural[nr] if run.answer.kind is AnswerKind.SAME else run.answer
                if answer.kind is not AnswerKind.NOTHING:
                    found.setdefault(answer.kind, set()).add(answer.value)
    return found


def fuzz(**options: int) -> SuiteChoice:
    return SuiteChoice(name="seccomp/fuzz", options={"stacks": 2, **options})


def test_a_batch_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = prepared(fuzz(), "x86_64", "i386", "5.10", Stop())
    assert made == batches.encode(make_batch("i386", stacks(fuzz(), "x86_64", "i386"), "5.10"))
    for unwanted in ("make_batch", "stacks", "probes"):
        monkeypatch.setattr(f"testcases.seccomp.trials.prepared.{unwanted}", None)
    assert prepared(fuzz(), "x86_64", "i386", "5.10", Stop()) == made
    other: tuple[tuple[SuiteChoice, str, str], ...] = (
        (fuzz(), "x32", "5.10"),
        (fuzz(seed=2), "i386", "5.10"),
        (fuzz(stacks=3), "i386", "5.10"),
        (fuzz(), "i386", "6.1"),
        (SuiteChoice(name="seccomp/edges"), "i386", "5.10"),
    )
    for choice, abi, kernel in other:
        with pytest.raises(TypeError):
            prepared(choice, "x86_64", abi, kernel, Stop())
    monkeypatch.setattr("testcases.seccomp.trials.stacks.library_digest", lambda: "another libseccomp")
    with pytest.raises(TypeError):
        prepared(fuzz(), "x86_64", "i386", "5.10", Stop())


def test_what_stacks_are_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changed, a case, systemd's sets, the container profile: other ingredients each time."""
    file = tmp_path / "a.asm"
    file.write_text("ret #0\n")
    options: dict[str, str | int | bool] = {"filters": str(file)}
    corpus = SuiteChoice(name="seccomp/corpus", options=options)
    seen = [ingredients(corpus)]
    assert ingredients(corpus) == seen[0]
    file.write_text("ret #1\n")
    seen.append(ingredients(corpus))
    monkeypatch.setattr("testcases.seccomp.corpus.syscall_sets", lambda: {"@default": ("read",)})
    seen.append(ingredients(corpus))
    monkeypatch.setattr("testcases.seccomp.corpus.container.PROFILE", file)
    seen.append(ingredients(corpus))
    save(tmp_path / "case", FilterCase(abi="x86_64", nr=2, arch=ABIS["x86_64"].audit_arch), ((ret(RET_ALLOW),),))
    replay = SuiteChoice(name="seccomp/replay", options={"files": str(tmp_path / "case")})
    seen.append(ingredients(replay))
    save(tmp_path / "case", FilterCase(abi="x86_64", nr=3, arch=ABIS["x86_64"].audit_arch), ((ret(RET_ALLOW),),))
    seen.append(ingredients(replay))
    assert len(set(seen)) == len(seen)


def test_a_division_by_zero_ends_a_task_too() -> None:
    """Without a single `ret` that kills."""
    divides = (Instruction(LD_IMM, 0, 0, 1), Instruction(DIV_X, 0, 0, 0), Instruction(RET_K, 0, 0, RET_ALLOW))
    (trial,) = make_batch("i386", [NamedStack("few/divides", (divides,))], "5.10").trials
    assert len(trial.singles) > KILLS
    assert all(work.skip for work in trial.works)


def test_single_calls_under_a_long_stack_are_few() -> None:
    """Each attaches it anew."""
    kills = (LD_NR, *unless(range(5, 50), Instruction(RET_K, 0, 0, 0)))
    filler = (*(LD_NR,) * 4000, ret(RET_ALLOW))
    counts = []
    for height in (0, 1, 4, 6):
        (trial,) = make_batch("i386", [NamedStack("few/long", (filler,) * height + (kills,))], "5.10").trials
        counts.append(len(trial.singles))
    assert counts[0] == counts[1] > 3
    assert counts[2:] == [2, 2]


def asking(name: str, abi: str, refusal: Instruction | None = None) -> Program:
    """Refuses one call when its second argument is 7."""
    refused = refusal or errno(3000)
    nr = number(name, abi) or 0
    return (LD_NR, jeq(nr, 0, 3), Instruction(LD_ABS, 0, 0, 24), jeq(7, 0, 1), refused, ret(RET_ALLOW))


def asked_alone(abi: str, stack: Stack, way: Way = Way.PLAIN) -> set[tuple[int, int]]:
    """Number and second argument of the calls that one task each is for."""
    made = make_batch(abi, [NamedStack("few/asks", stack, way)], "5.10")
    whole = [(made.tables[work.table], work.skipped) for work in made.trials[0].works]
    return {(nr, table.args[1]) for table, skip in whole if table.alone for nr in table.numbers if nr not in skip}


def test_arguments_that_matter_are_tried_both_ways() -> None:
    """Of a harmless call, for each ABI."""
    for abi in ("x86_64", "x32", "i386", "aarch64", "arm"):
        asks = asking("fcntl", abi)
        assert asked_alone(abi, (asks,)) == set()
        named = [NamedStack("few/asks", (asks,)), NamedStack("few/none", ((ret(RET_ALLOW),),))]
        made = make_batch(abi, named, "5.10")
        common = len(tables(abi))
        asked, none = made.trials
        outcomes = {
            Decider((asks,)).decide(Call(number, ABIS[abi].audit_arch, 0, made.tables[work.table].args))
            for work in asked.works[common:]
            for number in made.tables[work.table].numbers
            if number not in work.skipped
        }
        assert outcomes == {RET_ALLOW, errno(3000).k}
        assert {Door.NATIVE} == {made.tables[work.table].door for work in asked.works[common:]}
        assert all(work.table < common for work in none.works)


def test_a_call_that_may_do_harm_is_made_alone() -> None:
    """Both ways, too; and a harmless one, if it is refused by the death of the task. Only the plain way has such."""
    for abi in ("x86_64", "x32", "i386", "aarch64", "arm"):
        for name in ("clone", "exit_group"):
            nr, asks = number(name, abi) or 0, asking(name, abi)
            assert asked_alone(abi, (asks,)) == {(nr, 0), (nr, 7)}
            assert asked_alone(abi, (asks,), Way.THREAD) == set()
        for kill in (RET_KILL_PROCESS, RET_KILL_THREAD):
            assert asked_alone(abi, (asking("fcntl", abi, ret(kill)),)) == {(number("fcntl", abi) or 0, 7)}


def test_witnesses_under_a_long_stack_are_few() -> None:
    filler = (*(LD_NR,) * 4000, ret(RET_ALLOW))
    names = ("clone", "mmap", "mprotect", "shmat", "open", "unshare")
    asks = tuple(asking(name, "x86_64") for name in names)
    assert len(asked_alone("x86_64", asks)) == 2 * len(names)
    assert len(asked_alone("x86_64", ((filler,) * 6 + asks))) == 2


def test_stacks_in_doubt_are_tried_without_the_others() -> None:
    """Their results are those of the whole batch, digest and all."""
    whole = payload()
    part = SUITE.select(whole, ("few/2.behaviour", "few/2.attach"))
    assert part is not None
    assert [trial.name for trial in batch_of(part).trials] == ["few/2"]
    assert part.digest != whole.digest
    kept = {
        name: (result.status, result.observed)
        for name, result in by_name(SUITE.read(whole, outcome(whole, PlayedKernel().stream(batch_of(whole))))).items()
    }
    alone = by_name(SUITE.read(part, outcome(part, PlayedKernel().stream(batch_of(part)))))
    assert {name for name in alone if name != "agent"} == {name for name in kept if name.startswith("few/2.")}
    assert all((alone[name].status, alone[name].observed) == kept[name] for name in alone)


def test_what_cannot_be_left_out_is_run_whole() -> None:
    assert SUITE.select(payload(), ("agent",)) is None, "the end of the agent is of all its stacks"
    assert SUITE.select(payload(), tuple(f"few/{seed}.attach" for seed in (1, 2, 3))) is None, "there is nothing else"
    assert SUITE.select(tap_payload("procfile", b"ELF", SuiteChoice(name="seccomp/proc")), ("procfile.a",)) is None
