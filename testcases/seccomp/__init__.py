# SPDX-License-Identifier: GPL-2.0-only
"""What seccomp's filters decide, in models and in the kernel under test."""

from testcases.seccomp.suite import Seccomp

SUITE = Seccomp()
