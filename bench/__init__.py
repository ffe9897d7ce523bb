# SPDX-License-Identifier: GPL-2.0-or-later
"""Measurements: one command, ratios side by side in one run."""
