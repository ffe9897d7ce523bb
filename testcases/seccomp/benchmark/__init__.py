# SPDX-License-Identifier: GPL-2.0-or-later
"""What seccomp costs: calls below filters, attaching them, and what they take."""

from testcases.seccomp.benchmark.topic import SeccompBenchmark

BENCHMARK = SeccompBenchmark()
