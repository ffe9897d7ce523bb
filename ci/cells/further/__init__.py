# SPDX-License-Identifier: GPL-2.0-or-later
"""Further guests of a cell that has run: to follow a failure up, to trace, to count lines, to take the time."""
