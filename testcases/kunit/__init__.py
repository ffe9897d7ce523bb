# SPDX-License-Identifier: GPL-2.0-or-later
"""KUnit: the kernel's tests of its own functions, which run while it boots."""
