# SPDX-License-Identifier: GPL-2.0-or-later
"""Classic BPF: instructions, opcodes, text and bytes, validation, interpretation."""
