# SPDX-License-Identifier: GPL-2.0-or-later
"""DWARF and ELF: struct layout, size, and whether two versions are the same code."""
