# SPDX-License-Identifier: GPL-2.0-or-later
"""Which stacks are tried and which calls are made below them."""
