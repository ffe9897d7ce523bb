# SPDX-License-Identifier: GPL-2.0-or-later
"""What seccomp's filters decide, in models and in the kernel under test."""

CONFIG = ("CONFIG_SECCOMP=y", "CONFIG_SECCOMP_FILTER=y")
"""The kconfig lines that every program of this suite needs."""
