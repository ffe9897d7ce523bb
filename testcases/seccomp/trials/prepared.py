# SPDX-License-Identifier: GPL-2.0-or-later
"""Batches that are made once: to make a thousand stacks, and to work out which calls end a task, costs seconds."""

import hashlib
from pathlib import Path

from configs.model import SuiteChoice
from testcases.seccomp.agent.batch import encode, joined
from testcases.seccomp.bpf.seccomp_data import order_of_abi
from testcases.seccomp.trials.probes import probe_batch
from testcases.seccomp.trials.stacks import ingredients, probes, stacks
from testcases.seccomp.trials.trials import make_batch
from util.files.cached import cached_folder, code_digest
from util.paths import cache
from util.stop import Stop

_CODE = "testcases/seccomp"
_NAME = "batch"


def prepared(choice: SuiteChoice, arch: str, abi: str, kernel: str, stop: Stop) -> bytes:
    """The encoded batch of `make_batch`, and of `probe_batch` if there are probes, from the cache if the same code has
    made it of the same ingredients. Raises UserError, MachineError, Stopped."""
    origin = (code_digest(_CODE), arch, abi, kernel, ingredients(choice))
    key = hashlib.sha256(repr(origin).encode()).hexdigest()

    def make(folder: Path) -> None:
        batch = make_batch(abi, stacks(choice, arch, abi), kernel)
        own = tuple(probes(choice, abi))
        whole = joined(batch, probe_batch(abi, own, kernel)) if own else batch
        (folder / _NAME).write_bytes(encode(whole, order_of_abi(abi)))

    return (cached_folder(cache("testcases", "batches"), key, stop, make) / _NAME).read_bytes()
