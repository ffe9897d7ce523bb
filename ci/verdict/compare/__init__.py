# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparisons of equal builds and cells, base against judged, and after every patch."""
