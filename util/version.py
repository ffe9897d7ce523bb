# SPDX-License-Identifier: GPL-2.0-or-later
"""Which version of the rig this is."""

import subprocess

from util.paths import ROOT


def version() -> str:
    """The rig's own `git describe`, or `unknown` outside a checkout."""
    command = ("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--tags")
    try:
        finished = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return finished.stdout.strip() if finished.returncode == 0 else "unknown"
