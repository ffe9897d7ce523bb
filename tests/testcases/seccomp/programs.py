# SPDX-License-Identifier: GPL-2.0-or-later
"""Small filters for several tests."""

from testcases.seccomp.edges.code import LD_NR, errno, numbers, unless

GETPPID_REFUSED = (LD_NR, *unless(numbers("x86_64", "getppid"), errno(3998)))
