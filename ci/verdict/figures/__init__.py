# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures: what may grow, which budget is broken, and which functions the instructions are in."""
