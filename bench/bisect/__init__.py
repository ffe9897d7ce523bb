# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisections whose culprit is known: the rig's own, beside those by hand."""
