# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of `rig.py`, one file each."""
