# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries a plan out, from the first tree to the results model."""
