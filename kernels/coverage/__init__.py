# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of a kernel were executed, as gcov counts them."""
