# SPDX-License-Identifier: GPL-2.0-only
"""Sources, series, worktrees, kconfig, builds."""
