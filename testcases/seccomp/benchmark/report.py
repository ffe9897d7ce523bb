# SPDX-License-Identifier: GPL-2.0-only
"""What of the figures goes into a cover letter, into pictures and beside what others published."""

from testcases.benchmark.topic import Curve, Plot, Published, Row

ROWS: tuple[Row, ...] = ()
PLOTS: tuple[Plot, ...] = ()
PUBLISHED: tuple[Published, ...] = ()
