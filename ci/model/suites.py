# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of suites that `ci/` itself knows."""

LAYOUT, SIZE, CHECKPATCH = "layout", "size", "checkpatch"
BENCHMARK = "benchmark/"
"""How the name of every suite of benchmarks begins."""
STATIC = (LAYOUT, SIZE, CHECKPATCH)
"""Suites without guests: what is read from the kernels and the patches themselves."""
