# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands about this machine and this rig."""
