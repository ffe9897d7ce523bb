# SPDX-License-Identifier: GPL-2.0-only
"""Toolchains per ABI, the C init, the cpio image."""
