# SPDX-License-Identifier: GPL-2.0-or-later
"""Cells that run in a guest: what the guest is made of, and the answer that it gives or gave before."""
