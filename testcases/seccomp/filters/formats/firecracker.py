# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the filters of Firecracker and of rust-vmm's seccompiler in JSON: one for each thread, for one architecture.

`default_action` and `filter_action` are Firecracker's keys, `mismatch_action` and `match_action` seccompiler's
(docs/seccompiler.md, docs/json_format.md). Rules for one system call are alternatives, the arguments of one rule hold
together; `dword` looks at the lower 32 bits.
"""

from testcases.seccomp.bpf.seccomp_data import (
    ARCH_ABIS,
    DATA,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
)
from testcases.seccomp.filters.formats.json_value import Node, quoted
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.filters.ordered import Clause, Compare, Condition, OrderedPolicy, compiled
from testcases.seccomp.filters.target import FilterTarget, MadeFilter
from util.errors import UserError

_ACTIONS = {
    "allow": RET_ALLOW,
    "kill_process": RET_KILL_PROCESS,
    "kill_thread": RET_KILL_THREAD,
    "log": RET_LOG,
    "trap": RET_TRAP,
}
_WITH_DATA = {"errno": (RET_ERRNO, 4095), "trace": (RET_TRACE, DATA)}
_TESTS = {"eq": Compare.EQ, "ne": Compare.NE, "lt": Compare.LT, "le": Compare.LE, "gt": Compare.GT, "ge": Compare.GE}
_WIDTHS = ("dword", "qword")


def looks_so(root: Node) -> bool:
    """Whether these are filters by the name of a thread."""
    value = root.value
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(one, dict) and "filter" in one for one in value.values())
    )


def made(root: Node, target: FilterTarget) -> MadeFilter:
    """The filter of the thread `target.part`, which may be left out if there is only one. Raises UserError."""
    threads = dict(root.entries())
    if not target.part and len(threads) > 1:
        raise UserError(f"holds filters for {', '.join(map(quoted, threads))}; choose one with --part")
    name = target.part or next(iter(threads))
    if name not in threads:
        raise UserError(f"holds no filter {quoted(name)} (it has {', '.join(map(quoted, threads))})")
    abi = ARCH_ABIS[target.arch][0]
    how = f"the filter of {quoted(name)} as seccompiler makes it for {target.arch}"
    return MadeFilter(compiled(_policy(threads[name], abi)), (abi,), (), how)


def _policy(thread: Node, abi: str) -> OrderedPolicy:
    default = _action(thread.find("default_action") or thread.need("mismatch_action"))
    matched = _action(thread.find("filter_action") or thread.need("match_action"))
    calls: dict[int, list[Clause]] = {}
    for rule in thread.each("filter"):
        word = rule.need("syscall")
        found = number(word.text(), abi)
        if found is None:
            word.wrong(f"{abi} has no system call {quoted(word.text())}, and seccompiler refuses that")
        calls.setdefault(found, []).append(Clause(tuple(map(_condition, rule.each("args"))), matched))
    rows = tuple((nr, tuple(clauses), default) for nr, clauses in calls.items())
    return OrderedPolicy(abi, rows, default, RET_KILL_PROCESS)


def _action(node: Node) -> int:
    if isinstance(node.value, str):
        return _ACTIONS[node.one_of(_ACTIONS, "action")]
    entries = list(node.entries())
    if len(entries) != 1 or entries[0][0] not in _WITH_DATA:
        node.wrong(f"must be one of {', '.join(_ACTIONS)}, or an object with one key of {', '.join(_WITH_DATA)}")
    action, largest = _WITH_DATA[entries[0][0]]
    return action | entries[0][1].whole(largest)


def _condition(arg: Node) -> Condition:
    index, value = arg.need("index").whole(5), arg.need("val").whole((1 << 64) - 1)
    wide = arg.need("type").one_of(_WIDTHS, "type") == "qword"
    if not wide and value >> 32:
        arg.need("val").wrong("has more than the 32 bits that a dword compares")
    op = arg.need("op")
    if isinstance(op.value, dict):
        mask = op.need("masked_eq").whole((1 << 64) - 1)
        return Condition(index, Compare.MASKED, value, mask, wide)
    return Condition(index, _TESTS[op.one_of(_TESTS, "comparison")], value, wide=wide)
