# SPDX-License-Identifier: GPL-2.0-or-later
"""This machine and this rig: what is installed, what the cache holds, what names there are."""
