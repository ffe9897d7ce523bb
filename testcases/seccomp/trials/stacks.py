# SPDX-License-Identifier: GPL-2.0-or-later
"""The topics of the suite: which stacks each of them tries."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from configs.model import SuiteChoice
from testcases.seccomp import STACK_TOPICS
from testcases.seccomp.agent.batch import Way
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.corpus import corpus, corpus_ingredients
from testcases.seccomp.edges import edges
from testcases.seccomp.edges.code import audit_archs
from testcases.seccomp.filters.filter_file import case_of, file_members, named_files, read_stack
from testcases.seccomp.filters.libseccomp import library_digest
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.reproducer import load
from testcases.seccomp.filters.target import FilterTarget
from testcases.seccomp.fuzz.mixture import fuzz_stack
from testcases.seccomp.fuzz.values import DRAWN
from testcases.seccomp.trials.probes import single_of
from testcases.seccomp.trials.ways import ways
from util.errors import UserError

FUZZ_GROUP = 50
_WAYS = {10: Way.THREAD, 20: Way.FORK}
"""Which of 30 generated stacks are tried in another way than by the task that attached them."""
_TURN = 30
SEED, STACKS = 1, 150
OPTIONS = ("cache", "files", "filters", "seed", "stacks")
"""`cache: false` leaves the checks of the cache out; `files` are filters of the user's, for `replay`, and `filters` are
further members of the corpus."""


def stacks(choice: SuiteChoice, arch: str, abi: str) -> Iterator[NamedStack]:
    """The named stacks of one topic for one ABI. Raises UserError for a topic or an option that does not exist."""
    topic = choice.name.partition("/")[2]
    unknown = set(choice.options) - set(OPTIONS)
    if unknown:
        raise UserError(f"suite `{choice.name}`: no option `{min(unknown)}` (known: {', '.join(OPTIONS)})")
    if topic == "corpus":
        own = file_members(named_files(str(choice.options.get("filters", ""))), arch)
        yield from (made for made in (*corpus(arch), *own) if abi in made.abis)
    elif topic == "edges":
        yield from (made for made in edges(arch) if abi in made.abis)
    elif topic == "fuzz":
        known = tuple(made.stack for made in edges(arch) if abi in made.abis)
        made = _fuzz(int(choice.options.get("seed", SEED)), int(choice.options.get("stacks", STACKS)), known)
        yield from (replace(one, stack=at_home(one.stack, arch)) for one in made)
    elif topic == "ways":
        yield from ways(abi)
    elif topic == "replay":
        yield from _replay(choice, arch)
    else:
        raise UserError(
            f"suite `{choice.name}`: say which one: {', '.join(f'seccomp/{name}' for name in STACK_TOPICS)}"
        )


def _fuzz(seed: int, count: int, known: tuple[Stack, ...]) -> Iterator[NamedStack]:
    for index in range(count):
        first = index - index % FUZZ_GROUP
        name = f"seed-{seed}/{first:04}-{first + FUZZ_GROUP - 1:04}/{index:04}"
        yield NamedStack(name, fuzz_stack(seed, index, known), _WAYS.get(index % _TURN, Way.PLAIN))


def at_home(stack: Stack, arch: str) -> Stack:
    """A generated stack for a kernel whose architecture the generator does not draw: where it compares with x86's audit
    architectures, the kernel's own are meant. What it draws stays as it is: a seed gives the same stacks for ever."""
    drawn, own = audit_archs(DRAWN[0]), audit_archs(arch)
    if arch in DRAWN:
        return stack
    moved = dict(zip(drawn, own, strict=False))
    return tuple(tuple(insn._replace(k=moved.get(insn.k, insn.k)) for insn in program) for program in stack)


def _replay(choice: SuiteChoice, arch: str) -> Iterator[NamedStack]:
    """One stack of the files that `rig.py filter` takes, the oldest filter first."""
    paths = _replayed(choice)
    case = case_of(paths)
    way = Way[case.way] if case else Way.PLAIN
    yield NamedStack(f"replay/{paths[0].name}/stack", read_stack(paths, FilterTarget(arch)), way)


def probes(choice: SuiteChoice, abi: str) -> Iterator[NamedStack]:
    """What is tried besides the stacks: the very call of a failing case that is replayed. Raises UserError."""
    if not choice.name.endswith("/replay"):
        return
    paths = _replayed(choice)
    case = case_of(paths)
    if case is not None and case.abi == abi:
        name, (_case, stack) = f"replay/{paths[0].name}/call", load(paths[0])
        yield NamedStack(name, stack, Way[case.way], single_of(abi, case.call), case.between)


def _replayed(choice: SuiteChoice) -> tuple[Path, ...]:
    paths = tuple(Path(word) for word in str(choice.options.get("files", "")).split(os.pathsep) if word)
    if not paths:
        raise UserError(f"suite `{choice.name}`: needs the option `files`, see `rig.py filter replay --help`")
    return paths


def ingredients(choice: SuiteChoice) -> tuple[str, ...]:
    """What the stacks and probes of a topic are made from besides the rig's own code: equal ones give equal stacks.

    Raises UserError, MachineError."""
    options = repr((choice.name, sorted(choice.options.items())))
    named = named_files(str(choice.options.get("filters", "")))
    if choice.name.endswith("/replay"):
        named = _replayed(choice)
    installed = corpus_ingredients() if choice.name.endswith("/corpus") else ()
    return (options, library_digest(), *installed, *(digest for path in named for digest in _contents(path)))


def _contents(path: Path) -> Iterator[str]:
    """Digests of a file, or of all files of a case; none of what is not there, as making the stacks says."""
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            yield hashlib.sha256(file.read_bytes()).hexdigest()


def group_of(name: str) -> str:
    """The batch of stacks that one result speaks for: the first two parts of the name."""
    return "/".join(name.split("/")[:2])
