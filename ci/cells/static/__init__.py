# SPDX-License-Identifier: GPL-2.0-or-later
"""Cells without a guest: read from kernels, from patches, and from what compilers say."""
