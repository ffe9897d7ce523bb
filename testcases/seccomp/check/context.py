# SPDX-License-Identifier: GPL-2.0-or-later
"""What all checks of one guest stand on, and what they say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from guests.crash.outcome import StepOutcome
from testcases.seccomp.agent.batch import Batch, Door
from testcases.seccomp.agent.observation import Observation, observe
from testcases.seccomp.agent.programs import batch_of
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import ABIS, order_of_abi
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.prove.facts import KERNELS
from testcases.suite import Payload


@dataclass(frozen=True, slots=True)
class CheckContext:
    """`abi` is the agent's; `seccomp` is the number of that call in it; `exempt` are the numbers that this kernel
    always allows, by audit arch."""

    abi: str
    seccomp: int
    batch: Batch
    seen: Observation
    exempt: Mapping[int, frozenset[int]] = field(default_factory=dict)
    told: bool = False
    """Whether results tell what happened, as a replay wants it."""

    def arch(self, door: Door) -> int:
        return ABIS[door.abi(self.abi)].audit_arch

    def call(self, door: Door, nr: int, args: tuple[int, ...]) -> Call:
        """The call as filters see it: a 32-bit ABI has but the low halves of its arguments."""
        wide = door is Door.NATIVE and ABIS[self.abi].wide
        shown = args if wide else tuple(value & WORD for value in args)
        return Call(nr, self.arch(door), self.seen.addresses[door], shown)


def context_of(payload: Payload, step: StepOutcome) -> CheckContext:
    """From the agent's payload and how it went."""
    batch, options = batch_of(payload), dict(step.step.env)
    abi = options["ABI"]
    exempt = KERNELS[batch.kernel].exempt
    seen = observe(step.stdout, order_of_abi(abi))
    return CheckContext(abi, number("seccomp", abi) or 0, batch, seen, exempt, options["TELL"] == "1")


@dataclass(frozen=True, slots=True)
class Complaint:
    """`text` is one line. Another stack fails alike if it gets a complaint of the same `kind`. `call` is the system
    call that shows it, with what was `expected` and `observed` of it; arguments matter to behaviour alone."""

    kind: str
    text: str
    call: Call | None = None
    expected: str = ""
    observed: str = ""
