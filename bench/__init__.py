# SPDX-License-Identifier: GPL-2.0-only
"""Measurements: one command, ratios side by side in one run."""
