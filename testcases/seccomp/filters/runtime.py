# SPDX-License-Identifier: GPL-2.0-or-later
"""What runc and crun do differently with the same profile (runc: libcontainer/seccomp; crun: src/libcrun/seccomp.c).

runc puts a few instructions in front of what libseccomp makes: numbers above the largest that the profile names get
ENOSYS, so that programs fall back from system calls which are newer than the profile. crun does not.
"""

from collections.abc import Iterable
from errno import ENOSYS

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.instruction import Program
from testcases.seccomp.bpf.seccomp_data import (
    ABIS,
    ACTION_FULL,
    ARCH,
    NR,
    RET_ALLOW,
    RET_ERRNO,
    RET_LOG,
    RET_TRACE,
)
from testcases.seccomp.filters.libseccomp import ARCHS, resolved

_OWN = {facts.scmp_arch: facts for facts in ABIS.values()}
_BITS = {facts.audit_arch: facts.offset for facts in ABIS.values() if facts.offset}
"""The bit that tells the second ABI of an audit architecture from the first."""
_PERMISSIVE = (RET_ALLOW, RET_LOG, RET_TRACE)


def enosys_stub(names: Iterable[str], archs: Iterable[str], default: int) -> Program:
    """The instructions in front of a filter, none where runc adds none. `names` are those of all rules that count,
    `archs` the libseccomp names of the architectures that the profile lists: one that only comes because it is the
    kernel's own has no part in it."""
    if default & ACTION_FULL in _PERMISSIVE:
        return ()
    names = tuple(names)
    largest: dict[int, dict[int, int]] = {}
    for arch in archs:
        numbers = [found for name in names if (found := resolved(name, arch)) > 0]
        if numbers:
            own = _OWN.get(arch)
            audit, offset = (own.audit_arch, own.offset) if own else (ARCHS[arch], 0)
            largest.setdefault(audit, {})[offset] = max(numbers)
    if not largest:
        return ()
    lines = [f"ld [{ARCH}]"]
    lines += [f"jeq #{audit:#x}, arch{audit}" for audit in largest]
    lines += ["jmp END"]
    for audit, bounds in largest.items():
        lines += [f"arch{audit}: ld [{NR}]"]
        if bit := _BITS.get(audit):
            lines += [f"jset #{bit:#x}, other, native"]
            lines += [*_above("native", bounds.get(0)), *_above("other", bounds.get(bit))]
        else:
            lines += _above(f"own{audit}", bounds[0])
    lines += [f"enosys: ret #{RET_ERRNO | ENOSYS:#x}"]
    return assemble("\n".join(lines).replace("END", f"l{len(lines)}"))


def _above(label: str, bound: int | None) -> list[str]:
    """What a number of this kind comes to."""
    return [f"{label}: jmp END"] if bound is None else [f"{label}: jgt #{bound:#x}, enosys", "jmp END"]
