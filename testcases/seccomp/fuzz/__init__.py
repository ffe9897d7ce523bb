# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters that nobody wrote: made from a seed, changed, broken, and made small again."""
