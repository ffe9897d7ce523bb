# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host says of itself."""

import os

from guests.host.facts import host_facts
from guests.host.host import LOCAL, CommandResult, Local

FILES = {
    "/proc/cpuinfo": 2 * "model name\t: Some  CPU @ 3 GHz\nflags\t\t: fpu hypervisor lahf_lm\n",
    "/proc/self/status": "Name:\tcat\nCpus_allowed_list:\t0-2,5\n",
    "/proc/loadavg": "0.25 0.10 0.05 1/200 4242\n",
    "/sys/devices/system/cpu/cpu5/cpufreq/scaling_governor": "performance\n",
}


class Played(Local):
    """A machine that consists of files."""

    name = "ssh://me@far:22"

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def run(self, *command: str) -> CommandResult:
        text = self._files.get(command[1])
        return CommandResult(1, "", "no such file") if text is None else CommandResult(0, text, "")


def test_a_host_with_everything() -> None:
    found = host_facts(Played(FILES))
    assert found.name == "ssh://me@far:22"
    assert (found.cpu, found.cpus, found.load) == ("Some CPU @ 3 GHz", (0, 1, 2, 5), 0.25)
    assert (found.governor, found.virtual) == ("performance", True)


def test_a_host_that_says_nothing() -> None:
    found = host_facts(Played({}))
    assert (found.cpu, found.cpus, found.load, found.governor, found.virtual) == ("", (0,), 0.0, "", False)


def test_this_machine() -> None:
    found = host_facts(LOCAL)
    assert set(found.cpus) == os.sched_getaffinity(0)
    assert found.load >= 0
