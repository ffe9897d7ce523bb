# SPDX-License-Identifier: GPL-2.0-or-later
"""One cell of a run: in a guest, out of the cache, or read from kernels and patches."""
