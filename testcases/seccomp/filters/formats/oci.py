# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads seccomp profiles in JSON: those of the OCI runtime specification, and those of Docker and containers/common.

The first names `architectures`; the second have `archMap` and rules with `includes` and `excludes`, which depend on the
capabilities of the container, the architecture and the kernel's version. Both are lists of rules for libseccomp. What
the runtimes refuse is refused (runc: libcontainer/seccomp; crun: src/libcrun/seccomp.c; containers/common:
pkg/seccomp; Docker: profiles/seccomp).
"""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.names import raw
from testcases.seccomp.bpf.actions import MAX_ERRNO
from testcases.seccomp.bpf.seccomp_data import (
    ABIS,
    ACTION_FULL,
    ARCH_ABIS,
    DATA,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
)
from testcases.seccomp.filters.formats.json_value import Node, parse_json, quoted
from testcases.seccomp.filters.libseccomp import ARCHS, known, library_version, together
from testcases.seccomp.filters.policy import ArgComparison, Op, Policy, Rule
from testcases.seccomp.filters.runtime import enosys_stub
from testcases.seccomp.filters.target import DEFAULT_CAPABILITIES, FilterTarget, MadeFilter, Runtime
from util.errors import UserError

ACTIONS = {
    "SCMP_ACT_KILL": RET_KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": RET_KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": RET_KILL_PROCESS,
    "SCMP_ACT_TRAP": RET_TRAP,
    "SCMP_ACT_ERRNO": RET_ERRNO,
    "SCMP_ACT_TRACE": RET_TRACE,
    "SCMP_ACT_ALLOW": RET_ALLOW,
    "SCMP_ACT_LOG": RET_LOG,
    "SCMP_ACT_NOTIFY": RET_USER_NOTIF,
}
_LARGEST = {RET_ERRNO: MAX_ERRNO, RET_TRACE: DATA}
"""What data an action can carry; the others carry none."""
_OPS = {f"SCMP_CMP_{op.name}": op for op in Op}
_ABI_OF = {facts.scmp_arch: abi for abi, facts in ABIS.items()}
_ARCH_OF = {abi: arch for arch, abi in _ABI_OF.items()}
_GO_ARCH = {name: raw("archs", name)["go_arch"] for name in ARCH_ABIS}
"""What `arches` calls the kernel's architecture: the words of the Go language, as runtimes compare them."""
_FLAGS = {
    Runtime.RUNC: ("TSYNC", "SPEC_ALLOW", "LOG"),
    Runtime.CRUN: ("TSYNC", "SPEC_ALLOW", "LOG", "WAIT_KILLABLE_RECV"),
}
_MOST_COMPARED = 6
"""crun looks at no more of a rule's comparisons."""


@dataclass(frozen=True, slots=True)
class OciProfile:
    """A profile as one kernel architecture sees it: the rules that count there. `abis` are those of the kernel that the
    filter is for, the native one always: seccomp_init(3) brings it, and runtimes only add others. `named` are the
    architectures that the profile itself lists for this kernel, `listed` those
    that it lists for any. `notes` are
    lines for the user about what was left out or is odd."""

    policy: Policy
    abis: tuple[str, ...]
    named: tuple[str, ...]
    listed: tuple[str, ...]
    notes: tuple[str, ...]


def read_oci(
    path: Path,
    arch: str,
    *,
    capabilities: frozenset[str] = DEFAULT_CAPABILITIES,
    kernel: tuple[int, int] | None = None,
    runtime: Runtime = Runtime.CRUN,
) -> OciProfile:
    """The profile in the file `path`. Raises UserError naming the file and the place inside it."""
    try:
        root = parse_json(path.read_bytes())
        return profile_of(root, FilterTarget(arch, capabilities=capabilities, kernel=kernel, runtime=runtime))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def made(root: Node, target: FilterTarget) -> MadeFilter:
    """The filter that the chosen runtime loads for a profile. Raises UserError with the place of a mistake."""
    found = profile_of(root, target)
    program = together(found.policy, found.abis, target.form, found.named)
    if target.runtime is Runtime.RUNC:
        names = dict.fromkeys(rule.syscall for rule in found.policy.rules)
        program = enosys_stub(names, found.named, found.policy.default) + program
    stub = "with its" if target.runtime is Runtime.RUNC else "without runc's"
    how = (
        f"as {target.runtime} loads it, {stub} ENOSYS stub, on a kernel of {target.arch}; "
        f"libseccomp {library_version()}; {target.capabilities_text()}"
    )
    return MadeFilter(program, found.abis, found.notes, how, _elsewhere(found.listed, target.arch))


def _elsewhere(listed: tuple[str, ...], arch: str) -> str:
    """The first of the rig's architectures that a profile lists, if it lists none of the ABIs of `arch`."""
    abis = [_ABI_OF[one] for one in listed if one in _ABI_OF]
    if not abis or any(abi in ARCH_ABIS[arch] for abi in abis):
        return ""
    return next(other for other, known in ARCH_ABIS.items() if abis[0] in known)


def profile_of(root: Node, target: FilterTarget) -> OciProfile:
    """The profile that `root` is, or that a whole runtime configuration (config.json) holds."""
    if root.find("defaultAction") is None and (root.find("linux") or root.find("ociVersion")):
        linux = root.find("linux")
        section = linux.find("seccomp") if linux else None
        if section is None:
            raise UserError("no seccomp section: a container of this configuration runs without a filter")
        root = section
    return _Reading(target).read(root)


@dataclass(frozen=True, slots=True)
class _Reading:
    """For whom a profile is read."""

    target: FilterTarget

    def read(self, root: Node) -> OciProfile:
        default = _action(root, "defaultAction", "defaultErrnoRet", "defaultErrno")
        if default == RET_USER_NOTIF:
            root.need("defaultAction").wrong("SCMP_ACT_NOTIFY cannot be the default: nobody could start the supervisor")
        for flag in root.each("flags"):
            self._flag(flag)
        notes: list[str] = []
        named = tuple(dict.fromkeys(self._architectures(root)))
        own = [_ARCH_OF[abi] for abi in ARCH_ABIS[self.target.arch]]
        if named and own[0] not in named:
            notes.append(f"SCMP_ARCH_{own[0]}, the kernel's own, is not listed; libseccomp filters it nevertheless")
        rules = tuple(rule for node in root.each("syscalls") for rule in self._rules(node, notes))
        abis = tuple(
            abi for abi, arch in zip(ARCH_ABIS[self.target.arch], own, strict=True) if arch in (*named, own[0])
        )
        entries = [entry.need("architecture").text().removeprefix("SCMP_ARCH_") for entry in root.each("archMap")]
        return OciProfile(Policy(default, rules), abis, named, named or tuple(entries), tuple(notes))

    def _flag(self, flag: Node) -> None:
        words = [f"SECCOMP_FILTER_FLAG_{word}" for word in _FLAGS[self.target.runtime]]
        flag.one_of(words, f"flag of {self.target.runtime}")

    def _architectures(self, root: Node) -> Iterator[str]:
        """The names behind SCMP_ARCH_ that the profile lists for this kernel."""
        entries = list(root.each("archMap"))
        listed = list(root.each("architectures"))
        if entries and listed:
            root.need("archMap").wrong("stands beside `architectures`; runtimes take only one of them")
        for entry in entries:
            if entry.need("architecture").text() == f"SCMP_ARCH_{_ARCH_OF[self.target.arch]}":
                listed = [entry.need("architecture"), *entry.each("subArchitectures")]
                break
        for node in listed:
            word = node.text()
            name = word.removeprefix("SCMP_ARCH_")
            if self.target.runtime is Runtime.CRUN:  # it looks for the rest in lower case, with or without the prefix
                name = name.upper()
            elif name == word:
                name = ""
            if name not in ARCHS:
                from configs.names import did_you_mean

                hint = did_you_mean(word, (f"SCMP_ARCH_{arch}" for arch in ARCHS))
                node.wrong(f"unknown architecture {quoted(word)}{hint}")
            yield name

    def _rules(self, node: Node, notes: list[str]) -> Iterator[Rule]:
        """The rules of one entry, none if its conditions do not hold."""
        listed = [name.text() for name in node.each("names")]
        single = node.text("name")
        if not listed and not single:
            raise UserError(f"{node.place}.names: must name at least one system call")
        action = _action(node, "action", "errnoRet", "errno")
        conditions = self._conditions(node, notes)
        if not self._counts(node):
            return
        if single and listed:
            node.wrong("has both `name` and `names`; runtimes take only one of them")
        for name in listed or [single]:
            self._check_name(node, name, action)
            if known(name):
                for comparisons in conditions:
                    yield Rule(name, action, comparisons, node.place)
            else:
                notes.append(f"{node.place}.names: libseccomp knows no system call {quoted(name)}; left out")

    def _check_name(self, node: Node, name: str, action: int) -> None:
        if self.target.runtime is not Runtime.RUNC:
            return
        if not name:
            node.need("names").wrong("an empty name, which runc refuses")
        if name == "write" and action == RET_USER_NOTIF:
            node.need("action").wrong("runc refuses SCMP_ACT_NOTIFY for write, which it needs to start the supervisor")

    def _conditions(self, node: Node, notes: list[str]) -> list[tuple[ArgComparison, ...]]:
        """All comparisons must hold at once, unless two of them are for the same argument: then any one is enough.

        That is what container runtimes do, as libseccomp takes one comparison per argument.
        """
        found = [_comparison(arg, notes) for arg in node.each("args")]
        if self.target.runtime is Runtime.CRUN and len(found) > _MOST_COMPARED:
            notes.append(f"{node.place}.args: crun takes the first {_MOST_COMPARED} of {len(found)} comparisons only")
            found = found[:_MOST_COMPARED]
        if len({item.arg for item in found}) < len(found):
            return [(item,) for item in found]
        return [tuple(found)]

    def _counts(self, node: Node) -> bool:
        """Every condition of `includes` must hold, and none of `excludes`."""
        needs, refuses = (_Condition.of(node.find(key)) for key in ("includes", "excludes"))
        arch, capabilities = _GO_ARCH[self.target.arch], self.target.capabilities
        if arch in refuses.arches or (needs.arches and arch not in needs.arches):
            return False
        if refuses.caps & capabilities or not needs.caps <= capabilities:
            return False
        if refuses.min_kernel and self._at_least(refuses.min_kernel):
            return False
        return not needs.min_kernel or self._at_least(needs.min_kernel)

    def _at_least(self, version: tuple[int, int]) -> bool:
        return self.target.kernel is None or self.target.kernel >= version


@dataclass(frozen=True, slots=True)
class _Condition:
    """`includes` or `excludes` of a rule."""

    caps: frozenset[str] = frozenset()
    arches: frozenset[str] = frozenset()
    min_kernel: tuple[int, int] | None = None

    @classmethod
    def of(cls, node: Node | None) -> "_Condition":
        """Absent is as good as empty."""
        if node is None:
            return cls()
        caps, arches = (frozenset(item.text() for item in node.each(key)) for key in ("caps", "arches"))
        version = node.text("minKernel")
        match = re.fullmatch(r"(\d{1,9})\.(\d{1,9})", version, re.ASCII)
        if version and not match:
            node.need("minKernel").wrong(f"{quoted(version)} is not two numbers such as 4.8")
        return cls(caps, arches, (int(match[1]), int(match[2])) if match else None)


def _comparison(arg: Node, notes: list[str]) -> ArgComparison:
    op = _OPS[arg.need("op").one_of(_OPS, "comparison")]
    wide = (1 << 64) - 1
    second = arg.find("valueTwo")
    found = ArgComparison(
        arg.need("index").whole(5), op, arg.need("value").whole(wide), second.whole(wide) if second else 0
    )
    if op is Op.MASKED_EQ and found.value_two & ~found.value:
        notes.append(
            f"{arg.place}: valueTwo {found.value_two:#x} has bits that the mask, value {found.value:#x}, has not; "
            "are the two exchanged?"
        )
    return found


def _action(node: Node, key: str, number_key: str, name_key: str) -> int:
    """The return value: ERRNO and TRACE carry a number, which is EPERM where the profile gives none.

    `errno` counts more than `errnoRet`, as in containers/common.
    """
    action = ACTIONS[node.need(key).one_of(ACTIONS, "action")]
    number, name = node.find(number_key), node.text(name_key)
    largest = _LARGEST.get(action & ACTION_FULL, 0)
    if number is None and not name:
        return action | errno.EPERM if largest else action
    if not largest:
        (number or node.need(name_key)).wrong(f"{node.text(key)} takes no number; crun refuses it")
    value = number.whole(largest) if number is not None else 0
    return action | (_errno(node.need(name_key), name, largest) if name else value)


def _errno(node: Node, name: str, largest: int) -> int:
    """A name such as EPERM, or digits."""
    if re.fullmatch(r"\d{1,9}", name, re.ASCII):
        return Node(int(name), node.place).whole(largest)
    if name not in errno.errorcode.values() and name not in {"ENOTSUP", "EWOULDBLOCK", "EDEADLOCK"}:
        node.wrong(f"unknown error {quoted(name)}")
    return int(getattr(errno, name))
