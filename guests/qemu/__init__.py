# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU as data: the machine, its command line, its archives, its QMP channel."""
