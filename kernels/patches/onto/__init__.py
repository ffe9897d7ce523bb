# SPDX-License-Identifier: GPL-2.0-or-later
"""Which commit a series is applied to, and whether it was made for that commit."""
