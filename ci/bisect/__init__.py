# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisecting: what is asked, what is known, which step comes next, and the proof of what was found."""
