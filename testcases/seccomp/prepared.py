# SPDX-License-Identifier: GPL-2.0-only
"""Batches that are made once: to work out which calls end a task costs seconds for a thousand stacks."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from configs.code import code_digest
from configs.paths import cache
from configs.stop import Stop
from testcases.cached import cached_folder
from testcases.seccomp.batch import Batch, Trial, encode, joined
from testcases.seccomp.trials import Probe, make_batch, probe_batch
from testcases.seccomp.ways import Named

_CODE = "testcases/seccomp"
_NAME = "batch"


def prepared(abi: str, stacks: Iterable[Named], kernel: str, stop: Stop, probes: Sequence[Probe] = ()) -> bytes:
    """The encoded batch of `make_batch`, and of `probe_batch` if there are probes, from the cache if the same code has
    made it of the same stacks."""
    named = tuple(stacks)
    asked = encode(Batch((), tuple(Trial(name, stack, (), (), way) for name, stack, way in named), kernel))
    key = hashlib.sha256(repr((code_digest(_CODE), abi, probes)).encode() + asked).hexdigest()

    def make(folder: Path) -> None:
        batch = make_batch(abi, named, kernel)
        (folder / _NAME).write_bytes(encode(joined(batch, probe_batch(abi, probes, kernel)) if probes else batch))

    return (cached_folder(cache("testcases", "batches"), key, stop, make) / _NAME).read_bytes()
