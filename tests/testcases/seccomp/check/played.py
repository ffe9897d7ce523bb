# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that does what the models say, as the agent would tell of it; and ways to make it do something else."""

import struct
from dataclasses import dataclass
from itertools import groupby

from testcases.seccomp.agent.batch import Batch, CallTable, Trial
from testcases.seccomp.agent.observation import VERSION, AnswerKind, CallAnswer, Record
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import WORD, Stack
from testcases.seccomp.bpf.seccomp_data import ABIS, SET_MODE_FILTER
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.prove.designs import Merged
from testcases.seccomp.prove.facts import KERNELS, KernelFacts
from testcases.seccomp.trials.expect import denial

ADDRESS, FPROG = 0x401000, 0x1000
NATURAL = CallAnswer(AnswerKind.RETURNED, -9)
"""EBADF, which every call of this kernel comes to."""
Blocks = dict[str, tuple[int, frozenset[int]]]


def record(kind: Record, payload: bytes) -> bytes:
    return struct.pack("<II", kind, len(payload)) + payload


def answer_bytes(answer: CallAnswer) -> bytes:
    return struct.pack("<Ii", answer.kind, answer.value)


def runs_bytes(answers: list[CallAnswer]) -> bytes:
    rows = ((len(list(row)), answer) for answer, row in groupby(answers))
    return b"".join(struct.pack("<I", count) + answer_bytes(answer) for count, answer in rows)


def cache_bytes(trial: int, position: int, blocks: Blocks, error: int = 0) -> bytes:
    parts = [struct.pack("<IIII", trial, position, error, len(blocks))]
    for name, (size, allowed) in blocks.items():
        bits = sum(1 << number for number in allowed)
        parts.append(struct.pack("<16sI", name.encode(), size) + bits.to_bytes((size + 7) // 8, "little"))
    return b"".join(parts)


@dataclass
class PlayedKernel:
    """`decide` and `cached` are the kernel; tests replace them. `cacheless`: without the file."""

    abi: str = "x86_64"
    facts: KernelFacts = KERNELS["5.10"]
    cacheless: bool = False
    break_off: int = -1

    def decide(self, stack: Stack, call: Call) -> int:
        return Decider(stack).decide(call)

    def refuse(self, stack: Stack) -> int:
        """The errno of attaching the newest filter of `stack`."""
        found = attach(stack)[-1]
        return found.errno if found else 0

    def cached(self, stack: Stack, name: str) -> frozenset[int]:
        arch = {"x86_64": "x86_64", "ia32": "i386"}[name]
        return frozenset(Merged(self.facts).cached(stack, ABIS[arch].audit_arch))

    def stream(self, batch: Batch) -> bytes:
        """The whole stream, or that up to the trial `break_off`."""
        parts = [record(Record.HELLO, struct.pack("<IQQ", VERSION, ADDRESS, ADDRESS + 16))]
        for index, table in enumerate(batch.tables):
            natural = [NATURAL] * len(table.numbers)
            parts.append(record(Record.NATURAL, struct.pack("<I", index) + runs_bytes(natural)))
        for index, trial in enumerate(batch.trials):
            parts.append(record(Record.BEGIN, struct.pack("<I", index)))
            if index == self.break_off:
                return b"".join(parts)
            parts += self._trial(batch, index, trial)
        return b"".join((*parts, record(Record.END, b"")))

    def _trial(self, batch: Batch, index: int, trial: Trial) -> list[bytes]:
        parts: list[bytes] = []
        stack: Stack = ()
        for position, program in enumerate(trial.stack):
            answer = denial(self.decide(stack, self._attaching()))
            if answer is None:
                failed = self.refuse((*stack, program))
                stack = stack if failed else (*stack, program)
                answer = CallAnswer(AnswerKind.RETURNED, -failed)
            head = struct.pack("<II", index, position)
            parts.append(record(Record.ATTACH, head + answer_bytes(answer) + struct.pack("<Q", FPROG)))
            parts.append(record(Record.CACHE, self._cache(index, position, stack)))
        for place, between in enumerate(trial.between):
            table = batch.tables[between.table]
            early = trial.stack[: between.filter + 1]
            made = b"".join(answer_bytes(self._answer(early, table, nr)) for nr in between.numbers)
            parts.append(record(Record.BETWEEN, struct.pack("<II", index, place) + made))
        for work in trial.works:
            table, skipped = batch.tables[work.table], work.skipped
            answers = [
                CallAnswer(AnswerKind.NOTHING) if nr in skipped else self._answer(stack, table, nr)
                for nr in table.numbers
            ]
            parts.append(record(Record.RUNS, struct.pack("<II", index, work.table) + runs_bytes(answers)))
        for place, single in enumerate(trial.singles):
            outcome = self._answer(stack, CallTable(single.door, single.args, ()), single.nr)
            parts.append(record(Record.CALL, struct.pack("<II", index, place) + answer_bytes(outcome)))
        return [*parts, record(Record.DONE, struct.pack("<IIQ", index, 1, 10**9))]

    def _attaching(self) -> Call:
        args = (SET_MODE_FILTER, 0, FPROG, 0, 0, 0)
        return Call(number("seccomp", self.abi) or 0, ABIS[self.abi].audit_arch, ADDRESS, args)

    def _answer(self, stack: Stack, table: CallTable, nr: int) -> CallAnswer:
        facts = ABIS[table.door.abi(self.abi)]
        args = table.args if facts.wide else tuple(value & WORD for value in table.args)
        address = ADDRESS + 16 * table.door
        return denial(self.decide(stack, Call(nr, facts.audit_arch, address, args))) or CallAnswer(AnswerKind.SAME)

    def _cache(self, trial: int, position: int, stack: Stack) -> bytes:
        if self.cacheless:
            return cache_bytes(trial, position, {}, error=2)
        names = ("x86_64", "ia32") if stack else ()
        size = self.facts.sizes[ABIS["x86_64"].audit_arch]
        return cache_bytes(trial, position, {name: (size, self.cached(stack, name)) for name in names})
