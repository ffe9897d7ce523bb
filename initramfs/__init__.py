# SPDX-License-Identifier: GPL-2.0-or-later
"""Toolchains per ABI, the C init, the cpio image."""
