# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of kernel C: small faults put into the lines that a series adds, one at a time."""
