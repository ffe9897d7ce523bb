# SPDX-License-Identifier: GPL-2.0-or-later
"""The errors of the rig itself (decision 11 of the design).

    RigError
    ├── UserError     exit 2: what was asked for is wrong; the text says what to do
    │   └── KconfigError  a configuration that this tree does not have
    └── MachineError  exit 3: the machine could not do it; the verdict is `unknown`

A fault of the kernel or of the series is never an exception: it is a result (exit 1).
"""


class RigError(Exception):
    """One line for the terminal; the exit status stands in `exit_code`."""

    exit_code = 3


class UserError(RigError):
    """The user's mistake: bad argument, bad profile, a series that cannot be read."""

    exit_code = 2


class KconfigError(UserError):
    """A requested symbol that this tree cannot give. Another commit of the same history may."""


class MachineError(RigError):
    """The machine's: no network, no disk space, a missing tool, a QEMU that does not start."""

    exit_code = 3


ABORT = 128
"""The exit status that stops a `git bisect run` (git-bisect(1))."""
