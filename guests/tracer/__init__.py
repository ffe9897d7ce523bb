# SPDX-License-Identifier: GPL-2.0-or-later
"""The instruction-counting plugin for QEMU, and how its output is read."""
