# SPDX-License-Identifier: GPL-2.0-or-later
"""What a target has in its guest beside its own files: shells, tools, a disk."""
