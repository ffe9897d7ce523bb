# SPDX-License-Identifier: GPL-2.0-or-later
"""Revisions of a series side by side: what each one fixed, broke, made dearer or cheaper."""
