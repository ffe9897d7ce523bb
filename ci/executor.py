# SPDX-License-Identifier: GPL-2.0-only
"""Carries out a plan: kernels, suites and guests as a graph of tasks, each started as soon as what it needs is there.

Every task that loads the machine holds a token of the one jobserver, so that a guest runs on the core that a link
leaves idle and nothing is started twice over. A task is a thread that waits; the work is in child processes.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ci.guest_cell import CellRequest, Payloads, run_cell
from ci.plan import Plan
from ci.results import CellResult
from ci.sides import Side, Sides
from configs.events import Listener
from configs.model import Arch, SuiteChoice
from configs.result import Cell
from configs.stop import Stop, Stopped
from guests.accel import choose_accel
from initramfs.base import base_image
from kernels.build import Build, KernelRequest, build_kernel
from kernels.jobserver import Jobserver
from kernels.kconfig import Fragment, inline_fragment, load_fragment
from kernels.store import Store
from testcases.registry import find_suite
from testcases.suite import Payload, SuiteContext

Value = TypeVar("Value")
THREADS = 256
"""Tasks wait most of their time; the jobserver, not this number, bounds the load."""


@dataclass(frozen=True, slots=True)
class KernelKey:
    """Which kernel: one for each variant, architecture and flavour."""

    variant: str
    arch: str
    flavour: str

    def __str__(self) -> str:
        return f"{self.arch} {self.variant} {self.flavour}"
