# SPDX-License-Identifier: GPL-2.0-or-later
"""From statuses and figures to verdicts: comparing, budgets, known issues, explanations, exit statuses."""
