# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd's service settings ask of seccomp: the sets of system calls of the installed systemd, and the rules of
each setting as systemd.exec(5) describes them.

Facts about the rules are those of systemd 252's src/shared/seccomp-util.c: every setting is a filter of its own for
each ABI that leaves other architectures alone.
"""

import errno
import os
import subprocess
from collections.abc import Callable, Mapping
from functools import cache

from testcases.seccomp.bpf.seccomp_data import RET_ALLOW, RET_KILL_PROCESS, RET_KILL_THREAD
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.filters.policy import ArgComparison, Op, Policy, Rule, allow_list, deny_list, errno_action
from util.errors import MachineError

EPERM = errno_action(errno.EPERM)
ENOSYS = errno_action(errno.ENOSYS)
EAFNOSUPPORT = errno_action(errno.EAFNOSUPPORT)

_CLONE_FLAGS = {
    "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000, "pid": 0x20000000, "user": 0x10000000,
    "uts": 0x04000000, "cgroup": 0x02000000,
}  # fmt: skip
"""CLONE_NEW* of include/uapi/linux/sched.h by the names that RestrictNamespaces= takes."""
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK, _AF_PACKET = 1, 2, 10, 16, 17
_SCHED_OTHER, _SCHED_BATCH, _SCHED_IDLE = 0, 3, 5
_PROT_WRITE, _PROT_EXEC, _SHM_EXEC = 2, 4, 0o100000
_S_ISUID, _S_ISGID = 0o4000, 0o2000
_O_CREAT = 0o100
_O_SYNC = 0o4010000
_PERSONALITY_LINUX = 0


@cache
def syscall_sets() -> Mapping[str, tuple[str, ...]]:
    """Every set of the installed systemd by its name (`@clock`), with the sets inside it replaced by their members.

    Raises MachineError when there is no systemd-analyze or what it prints is not understood.
    """
    command = ["systemd-analyze", "--no-pager", "syscall-filter"]
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"systemd's sets of system calls cannot be had: {error}") from None
    if done.returncode:
        raise MachineError(f"systemd-analyze syscall-filter: {done.stderr.strip()[:200]}")
    return parse_sets(done.stdout)


def parse_sets(text: str) -> dict[str, tuple[str, ...]]:
    """The sets in what `systemd-analyze syscall-filter` prints: a line `@name`, then its members, indented; `#` begins
    a comment. Raises MachineError for anything else."""
    written: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        word = line.partition("#")[0].strip()
        if word and not line[0].isspace():
            name = word
            written[name] = []
        elif word:
            if not name:
                raise MachineError(f"systemd-analyze syscall-filter: `{word}` stands in no set")
            written[name].append(word)
    if "@system-service" not in written:
        raise MachineError("systemd-analyze syscall-filter printed no set @system-service")
    return {name: tuple(dict.fromkeys(_members(name, written, ()))) for name in written}


def _members(name: str, written: Mapping[str, list[str]], above: tuple[str, ...]) -> list[str]:
    if name in above or name not in written:
        raise MachineError(f"systemd-analyze syscall-filter: the set {name} is unknown or contains itself")
    found: list[str] = []
    for word in written[name]:
        found += _members(word, written, (*above, name)) if word.startswith("@") else [word]
    return found


Setting = Callable[[str], Policy | None]
"""The policy of one setting for an ABI; None where systemd has none for it."""


def allowed(otherwise: int, *names: str, without: tuple[str, ...] = ()) -> Setting:
    """SystemCallFilter=NAMES, then SystemCallFilter=~WITHOUT. @default is always among what is allowed."""

    def policy(_abi: str) -> Policy:
        sets = syscall_sets()
        out = {call for name in without for call in sets[name]}
        calls = (call for name in ("@default", *names) for call in sets[name] if call not in out)
        return allow_list(tuple(dict.fromkeys(calls)), otherwise, RET_ALLOW)

    return policy


def denied(action: int, *names: str) -> Setting:
    """SystemCallFilter=~NAMES."""
    return lambda _abi: deny_list(
        tuple(dict.fromkeys(call for name in names for call in syscall_sets()[name])), action, RET_ALLOW
    )


def known_and_allowed(*names: str) -> Setting:
    """SystemCallFilter=NAMES as systemd loads it: EPERM for other calls that it knows, ENOSYS for what it does not."""

    def policy(abi: str) -> Policy:
        inside = allowed(EPERM, *names)(abi)
        assert inside is not None
        allows = {rule.syscall for rule in inside.rules}
        outside = tuple(Rule(name, EPERM) for name in syscall_sets()["@known"] if name not in allows)
        return Policy(ENOSYS, (*inside.rules, *outside), RET_ALLOW)

    return policy


def calls_denied(*names: str, action: int = EPERM, needs: str = "") -> Setting:
    """A deny-list of single calls; none at all for an ABI that has no call of the name `needs`."""
    return lambda abi: None if needs and number(needs, abi) is None else deny_list(names, action, RET_ALLOW)


def native_architecture(native: str) -> Setting:
    """SystemCallArchitectures=native: no rule, only the native architecture, and death for the others."""
    return lambda abi: Policy(RET_ALLOW, (), RET_KILL_THREAD) if abi == native else None


def restrict_namespaces(*retained: str) -> Setting:
    """RestrictNamespaces=RETAINED. clone3 hides its flags in memory, so it is not there at all."""

    def policy(_abi: str) -> Policy:
        rules = [Rule("clone3", ENOSYS)]
        refused = [flag for name, flag in _CLONE_FLAGS.items() if name not in retained]
        if not retained:
            rules.append(Rule("setns", EPERM))
        elif refused:
            rules.append(Rule("setns", EPERM, (ArgComparison(1, Op.EQ, 0),)))
        for flag in refused:
            rules.append(Rule("unshare", EPERM, (_has(0, flag),)))
            rules.append(Rule("clone", EPERM, (_has(0, flag),)))
            if retained:
                rules.append(Rule("setns", EPERM, (_has(1, flag),)))
        return Policy(RET_ALLOW, tuple(rules), RET_ALLOW)

    return policy


def restrict_address_families(*families: int, invert: bool = False) -> Setting:
    """RestrictAddressFamilies=FAMILIES, or =~FAMILIES; not where socketcall(2) hides the family in memory."""

    def policy(abi: str) -> Policy | None:
        if number("socketcall", abi) is not None:
            return None
        if invert:
            tests = [ArgComparison(0, Op.EQ, family) for family in sorted(families)]
        else:
            low, high = min(families), max(families)
            gaps = [ArgComparison(0, Op.EQ, family) for family in range(low, high) if family not in families]
            tests = [ArgComparison(0, Op.LT, low), ArgComparison(0, Op.GT, high), *gaps]
        return Policy(RET_ALLOW, tuple(Rule("socket", EAFNOSUPPORT, (test,)) for test in tests), RET_ALLOW)

    return policy


def restrict_realtime(_abi: str) -> Policy:
    """RestrictRealtime=: only the policies that are not for real time."""
    fine = (_SCHED_OTHER, _SCHED_BATCH, _SCHED_IDLE)
    tests = [ArgComparison(1, Op.EQ, number) for number in range(max(fine)) if number not in fine]
    tests.append(ArgComparison(1, Op.GT, max(fine)))
    return Policy(RET_ALLOW, tuple(Rule("sched_setscheduler", EPERM, (test,)) for test in tests), RET_ALLOW)


def memory_deny_write_execute(abi: str) -> Policy:
    """MemoryDenyWriteExecute=: no mapping that can be written and executed, and nothing made executable later."""
    both = _PROT_WRITE | _PROT_EXEC
    new = number("mmap2", abi) is not None
    rules = [Rule("mmap2" if new else "mmap", EPERM, (_has(2, both),))]
    if new and number("mmap", abi) is not None:
        rules.append(Rule("mmap", EPERM))  # its arguments lie in memory
    else:
        rules.append(Rule("shmat", EPERM, (_has(2, _SHM_EXEC),)))
    rules += [Rule(name, EPERM, (_has(2, _PROT_EXEC),)) for name in ("mprotect", "pkey_mprotect")]
    return Policy(RET_ALLOW, tuple(rules), RET_ALLOW)


def lock_personality(_abi: str) -> Policy:
    """LockPersonality=: no other execution domain than the present one."""
    tests = (ArgComparison(0, Op.NE, _PERSONALITY_LINUX),)
    return Policy(RET_ALLOW, (Rule("personality", EPERM, tests),), RET_ALLOW)


def restrict_suid_sgid(_abi: str) -> Policy:
    """RestrictSUIDSGID=: no call that makes a file set-user-ID or set-group-ID; openat2 hides its mode in memory."""
    rules = []
    for bit in (_S_ISUID, _S_ISGID):
        for name, arg in [
            ("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2), ("mknod", 1), ("mknodat", 2),
            ("creat", 1),
        ]:  # fmt: skip
            rules.append(Rule(name, EPERM, (_has(arg, bit),)))
        for name, arg in [("open", 1), ("openat", 2)]:
            rules.append(Rule(name, EPERM, (_has(arg, _O_CREAT), _has(arg + 1, bit))))
    rules.append(Rule("openat2", ENOSYS))
    return Policy(RET_ALLOW, tuple(rules), RET_ALLOW)


def suppress_sync(_abi: str) -> Policy:
    """--suppress-sync= of systemd-nspawn: synchronising succeeds and does nothing."""
    nothing = errno_action(0)
    names = ("fdatasync", "fsync", "msync", "sync", "sync_file_range", "sync_file_range2", "syncfs")
    rules = [Rule(name, nothing) for name in names]
    rules += [
        Rule(name, errno_action(errno.EINVAL), (_has(arg, _O_SYNC),)) for name, arg in [("open", 1), ("openat", 2)]
    ]
    return Policy(RET_ALLOW, tuple(rules), RET_ALLOW)


def _has(arg: int, bits: int) -> ArgComparison:
    return ArgComparison(arg, Op.MASKED_EQ, bits, bits)


def settings(native: str) -> dict[str, Setting]:
    """Typical settings of a hardened service by a short name. `native` is the kernel's own ABI."""
    return {
        "system-service": allowed(EPERM, "@system-service"),
        "system-service-kill": allowed(RET_KILL_PROCESS, "@system-service"),
        "system-service-known": known_and_allowed("@system-service"),
        "system-service-restricted": allowed(EPERM, "@system-service", without=("@privileged", "@resources")),
        "not-privileged-resources": denied(EPERM, "@privileged", "@resources"),
        "not-debug-obsolete": denied(RET_KILL_PROCESS, "@clock", "@cpu-emulation", "@debug", "@module", "@obsolete"),
        "restrict-namespaces": restrict_namespaces(),
        "restrict-namespaces-some": restrict_namespaces("user", "net"),
        "restrict-address-families": restrict_address_families(_AF_UNIX, _AF_INET, _AF_INET6),
        "restrict-address-families-not": restrict_address_families(_AF_NETLINK, _AF_PACKET, invert=True),
        "memory-deny-write-execute": memory_deny_write_execute,
        "restrict-realtime": restrict_realtime,
        "lock-personality": lock_personality,
        "restrict-suid-sgid": restrict_suid_sgid,
        "suppress-sync": suppress_sync,
        "protect-clock": denied(EPERM, "@clock"),
        "protect-kernel-modules": denied(EPERM, "@module"),
        "protect-kernel-logs": calls_denied("syslog"),
        "protect-kernel-tunables": calls_denied("_sysctl", needs="_sysctl"),
        "protect-hostname": calls_denied("sethostname", "setdomainname"),
        "private-devices": denied(EPERM, "@raw-io"),
        "native-architecture": native_architecture(native),
    }
