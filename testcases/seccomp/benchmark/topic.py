# SPDX-License-Identifier: GPL-2.0-or-later
"""The topic `benchmark/seccomp`."""

from collections.abc import Sequence
from pathlib import Path

from configs.model import Arch
from initramfs.cpio import Entry, file
from testcases.benchmark.topic import Plot, Published, TableRow
from testcases.seccomp import CONFIG
from testcases.seccomp.benchmark.items import items, items_for
from testcases.seccomp.benchmark.plan import encode
from testcases.seccomp.benchmark.report import PLOTS, PUBLISHED, ROWS

GUEST = Path(__file__).resolve().parent / "guest"
PLAN = "benchmark/plan"


class SeccompBenchmark:
    def config(self) -> tuple[str, ...]:
        return CONFIG

    def sources(self) -> list[Path]:
        return sorted(GUEST.glob("*.c"))

    def files(self, arch: Arch, abi: str, figures: Sequence[str]) -> tuple[Entry, ...]:
        return (file(PLAN, encode(items_for(items(arch.name, abi), figures), arch.byte_order)),)

    def argv(self, wall: bool) -> tuple[str, ...]:
        return (f"/{PLAN}", *(("wall",) if wall else ()))

    def tests(self, arch: Arch, abi: str) -> tuple[str, ...]:
        return tuple(test for item in items(arch.name, abi) for test in item.tests)

    def rows(self) -> tuple[TableRow, ...]:
        return ROWS

    def plots(self) -> tuple[Plot, ...]:
        return PLOTS

    def published(self) -> tuple[Published, ...]:
        return PUBLISHED
