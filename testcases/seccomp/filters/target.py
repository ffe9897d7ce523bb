# SPDX-License-Identifier: GPL-2.0-or-later
"""For whom a filter is read, and what comes of it: the same for every format."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from testcases.seccomp.bpf.instruction import Program
from testcases.seccomp.filters.policy import Form
from util.errors import UserError


class Runtime(StrEnum):
    """Which program calls libseccomp for a profile of a container."""

    CRUN = "crun"
    RUNC = "runc"


def _names(words: str) -> frozenset[str]:
    return frozenset(f"CAP_{word}" for word in words.split())


ALL_CAPABILITIES = _names(
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
"""Those of `include/uapi/linux/capability.h`."""
DEFAULT_CAPABILITIES = _names(
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
)
"""Those of an ordinary container (containers.conf(5), default_capabilities)."""
_SETS = {"none": frozenset[str](), "default": DEFAULT_CAPABILITIES, "all": ALL_CAPABILITIES}


def capabilities_of(text: str) -> frozenset[str]:
    """`default,SYS_ADMIN`: the union of the sets `none`, `default`, `all` and of single ones, with or without `CAP_`.
    Raises UserError."""
    from configs.names import did_you_mean

    found: frozenset[str] = frozenset()
    for word in filter(None, (part.strip() for part in text.split(","))):
        name = word.upper() if word.upper().startswith("CAP_") else f"CAP_{word.upper()}"
        if word.lower() in _SETS:
            found |= _SETS[word.lower()]
        elif name in ALL_CAPABILITIES:
            found |= {name}
        else:
            raise UserError(f"--capabilities: no capability `{word}`{did_you_mean(name, ALL_CAPABILITIES)}")
    return found


def version_of(text: str) -> tuple[int, int]:
    """The first two numbers of a kernel's version, `6.12`. Raises UserError."""
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})(?:[.-].*)?", text.strip(), re.ASCII)
    if not match:
        raise UserError(f"--kernel: `{text}` is no version such as 6.12")
    return int(match[1]), int(match[2])


@dataclass(frozen=True, slots=True)
class FilterTarget:
    """`arch` is the kernel's architecture (`x86_64`, `aarch64`), `kernel` its version (absent: the newest). `part`
    names one filter of a file that holds several. The rest counts for profiles of containers alone."""

    arch: str
    form: Form = Form.LINEAR
    runtime: Runtime = Runtime.CRUN
    capabilities: frozenset[str] = DEFAULT_CAPABILITIES
    kernel: tuple[int, int] | None = None
    part: str = ""

    def on(self, arch: str) -> "FilterTarget":
        """The same for another kernel."""
        return replace(self, arch=arch)

    def capabilities_text(self) -> str:
        """`default capabilities`, `default capabilities and CAP_SYS_ADMIN`, `capabilities CAP_BPF`."""
        name, known = max(
            ((name, one) for name, one in _SETS.items() if one <= self.capabilities), key=lambda item: len(item[1])
        )
        more = sorted(self.capabilities - known)
        if more and name == "none":
            return f"capabilities {' '.join(more)}"
        return " and ".join(("no capabilities" if name == "none" else f"{name} capabilities", *more))


@dataclass(frozen=True, slots=True)
class MadeFilter:
    """A program, and what is known besides. `abis` are those that the file says it is for, none if it does not say.
    `notes` are lines for the user about what was left out or is odd; `how` says who would load it so. `prefers` is
    the architecture of the only kernels that the file names, if that is another than the target's."""

    program: Program
    abis: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    how: str = ""
    prefers: str = ""
