# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies made into programs by the library that most of the field uses, for any ABI of the rig on any host.

libseccomp names a system call by the number that it has on the *host* and translates it for each ABI of the filter.
What the host does not have gets a negative number there, which is as good.
"""

import ctypes
import ctypes.util
import errno
import hashlib
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pyseccomp

from testcases.seccomp.bpf.instruction import ByteOrder, Instruction, Program, from_raw
from testcases.seccomp.bpf.opcodes import RET_K
from testcases.seccomp.bpf.seccomp_data import ABIS, RET_KILL_THREAD, order_of_abi
from testcases.seccomp.filters.policy import Form, Policy, Rule
from util.errors import MachineError, UserError

TOKENS: dict[str, int] = {abi: getattr(pyseccomp.Arch, facts.scmp_arch) for abi, facts in ABIS.items()}
"""SCMP_ARCH_* of each ABI."""

ARCHS: dict[str, int] = {
    **{name: value for name, value in vars(pyseccomp.Arch).items() if name.isupper() and value},
    "LOONGARCH64": 0xC0000102,
}
"""What stands behind SCMP_ARCH_, with its token (seccomp.h): the audit architecture, but for X32."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_UNKNOWN = -1
"""__NR_SCMP_ERROR: libseccomp has never heard of the name."""
_API_LEVEL = 6
_OPTIMIZE = {Form.LINEAR: 1, Form.TREE: 2}


@cache
def library_digest() -> str:
    """Names the very libseccomp that this process has loaded."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    path = next(words[5] for line in maps if len(words := line.split(maxsplit=5)) > 5 and "/libseccomp.so" in words[5])
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class _Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint))


@cache
def library_version() -> str:
    """`2.5.4`, as the loaded library says itself."""
    found = ctypes.CDLL(ctypes.util.find_library("seccomp")).seccomp_version
    found.restype = ctypes.POINTER(_Version)
    version = found().contents
    return f"{version.major}.{version.minor}.{version.micro}"


@cache
def known(name: str) -> bool:
    """Whether libseccomp knows a system call of this name on any architecture."""
    return resolved(name, "NATIVE") != _UNKNOWN


def resolved(name: str, arch: str) -> int:
    """The number that libseccomp gives a name on an architecture of ARCHS or NATIVE; negative for what it does not
    have, -1 for a name that it has never heard of."""
    if not _NAME.fullmatch(name):
        return _UNKNOWN
    return int(pyseccomp.resolve_syscall(ARCHS.get(arch, pyseccomp.Arch.NATIVE), name))


def number(name: str, abi: str) -> int | None:
    """The number of a system call as `seccomp_data.nr` shows it (x32 with its bit), or None if the ABI has none.

    i386 reaches some of the socket and System V calls in two ways; libseccomp gives no number for these.
    """
    found = int(pyseccomp.resolve_syscall(TOKENS[abi], name)) if known(name) else _UNKNOWN
    return found if found >= 0 else None


def together(policy: Policy, abis: Sequence[str], form: Form, archs: Sequence[str] = ()) -> Program:
    """One filter for several ABIs, made as container runtimes do: a rule counts where the ABI has the call.

    The first ABI is the kernel's own. `archs` are names of ARCHS to add behind it in this order, in place of the other
    ABIs. Raises UserError for one that libseccomp refuses.
    """
    made = _begin(policy, abis[:1] if archs else abis, form)
    for name in archs:
        try:
            if not made.exist_arch(ARCHS[name]):
                made.add_arch(ARCHS[name])
        except OSError as error:
            known_not = f"it does not know it ({error.strerror})"
            reason = "the byte order is another" if error.errno == errno.EDOM else known_not
            raise UserError(f"architectures: libseccomp refuses SCMP_ARCH_{name} beside {abis[0]}: {reason}") from None
    for rule in policy.rules:
        if rule.action != policy.default and known(rule.syscall):
            _add(made, rule, exact=False)
    return _export(made, order_of_abi(abis[0]), (policy,))


def apart(policy: Policy, abi: str, form: Form) -> Program:
    """A filter for one ABI, made as systemd does: rules that cannot be had exactly are left out."""
    return _export(_apart(policy, abi, form), order_of_abi(abi), (policy,))


def merged(policies: Mapping[str, Policy], form: Form) -> Program:
    """The filters of several ABIs, each with rules of its own, in one program: seccomp_merge(3).

    libseccomp wants all of them to have the same default and bad-architecture action.
    """
    filters = [_apart(policy, abi, form) for abi, policy in policies.items()]
    first = filters[0]
    for other in filters[1:]:
        first.merge(other)
    return _export(first, order_of_abi(next(iter(policies))), policies.values())


def _apart(policy: Policy, abi: str, form: Form) -> pyseccomp.SyscallFilter:
    made = _begin(policy, (abi,), form)
    for rule in policy.rules:
        if rule.action != policy.default and known(rule.syscall):
            _add(made, rule, exact=True)
    return made


def _begin(policy: Policy, abis: Sequence[str], form: Form) -> pyseccomp.SyscallFilter:
    """An empty filter. Its API level is set, or else the host's kernel would decide which actions there are."""
    try:
        pyseccomp.set_api(_API_LEVEL)
        made = pyseccomp.SyscallFilter(policy.default)
        made.set_attr(pyseccomp.Attr.CTL_OPTIMIZE, _OPTIMIZE[form])
        made.set_attr(pyseccomp.Attr.ACT_BADARCH, policy.bad_arch)
        native = pyseccomp.system_arch()
        tokens = [TOKENS[abi] for abi in abis]
        if native not in tokens:
            made.remove_arch(native)  # before the first of another byte order comes: a filter is of one
        for token in tokens:
            if token != native:
                made.add_arch(token)
    except (OSError, NotImplementedError) as error:
        raise MachineError(f"libseccomp cannot begin a filter for {', '.join(abis)}: {error} (2.5 is needed)") from None
    return made


def _add(made: pyseccomp.SyscallFilter, rule: Rule, *, exact: bool) -> None:
    host = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, rule.syscall)
    args = [pyseccomp.Arg(item.arg, item.op, item.value, item.value_two) for item in rule.comparisons]
    try:
        if exact:
            made.add_rule_exactly(rule.action, host, *args)
        else:
            made.add_rule(rule.action, host, *args)
    except OSError as error:
        if not exact or error.errno not in (errno.EDOM, errno.EINVAL):
            where = f"{rule.place}: " if rule.place else ""
            raise UserError(f"{where}libseccomp refuses the rule for {rule.syscall}: {error.strerror}") from None


def _export(made: pyseccomp.SyscallFilter, order: ByteOrder, policies: Iterable[Policy]) -> Program:
    """The program, which seccomp_export_bpf(3) writes in the byte order of the machine that it is for."""
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        program = from_raw(file.read(), order)
    return program if order == sys.byteorder else _with_whole_returns(program, policies)


def _with_whole_returns(program: Program, policies: Iterable[Policy]) -> Program:
    """libseccomp (2.5.4) turns the bytes of a return value round twice in some places when it makes a filter for a
    machine of the other byte order. Each value is one that the policies return, or is that one the wrong way round."""
    values = {RET_KILL_THREAD}
    for policy in policies:
        values |= {policy.default, policy.bad_arch, *(rule.action for rule in policy.rules)}

    def whole(insn: Instruction) -> Instruction:
        turned = int.from_bytes(insn.k.to_bytes(4, "big"), "little")
        wrong = insn.code == RET_K and insn.k not in values and turned in values
        return insn._replace(k=turned) if wrong else insn

    return tuple(map(whole, program))
