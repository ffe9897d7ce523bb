# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest suite: does the kernel come up and go down again?"""
