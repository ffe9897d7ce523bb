# SPDX-License-Identifier: GPL-2.0-or-later
"""Static checks of single patches: one file for each, data and a function (docs/checks.md says how to add one)."""
