# SPDX-License-Identifier: GPL-2.0-or-later
"""Kconfig fragments and expressions; what was asked for and what survived."""
