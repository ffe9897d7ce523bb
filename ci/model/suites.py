# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of suites that `ci/` itself knows."""

LAYOUT, SIZE, CHECKPATCH, CHECKS = "layout", "size", "checkpatch", "checks"
BENCHMARK = "benchmark/"
"""How the name of every suite of benchmarks begins."""
STATIC = (LAYOUT, SIZE, CHECKPATCH, CHECKS)
"""Suites without guests: what is read from the kernels and the patches themselves."""
OF_PATCHES = (CHECKPATCH, CHECKS)
"""Those of them that need no kernel."""
