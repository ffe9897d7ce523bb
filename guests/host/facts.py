# SPDX-License-Identifier: GPL-2.0-or-later
"""The properties of a host on which wall time depends."""

import re
from dataclasses import dataclass

from guests.host.host import Host


@dataclass(frozen=True, slots=True)
class HostFacts:
    """`name` is empty for this machine; `cpus` are the numbers of the processors that we may use there; `load` is the
    load average of the last minute; `governor` and `cpu` are empty where nothing is known; `virtual` says that it
    is itself a guest."""

    name: str
    cpu: str
    cpus: tuple[int, ...]
    load: float
    governor: str
    virtual: bool


def host_facts(host: Host) -> HostFacts:
    """Raises MachineError if the host cannot be reached."""
    processor = _read(host, "/proc/cpuinfo")
    allowed = re.search(r"^Cpus_allowed_list:\s*(\S+)", _read(host, "/proc/self/status"), re.MULTILINE)
    cpus = _numbers(allowed[1] if allowed else "0")
    model = re.search(r"^(?:model name|Hardware|Model)\s*: (.+)", processor, re.MULTILINE)
    return HostFacts(
        name=host.name,
        cpu=" ".join(model[1].split()) if model else "",
        cpus=cpus,
        load=float((_read(host, "/proc/loadavg").split() or ["0"])[0]),
        governor=_read(host, f"/sys/devices/system/cpu/cpu{cpus[-1]}/cpufreq/scaling_governor").strip(),
        virtual=bool(re.search(r"^flags\s*:.*\bhypervisor\b", processor, re.MULTILINE)),
    )


def _read(host: Host, path: str) -> str:
    return host.run("cat", path).stdout


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a list as the kernel prints it: `0-2,5`."""
    ranges = (word.split("-") for word in text.split(","))
    return tuple(number for part in ranges for number in range(int(part[0]), int(part[-1]) + 1))
