# SPDX-License-Identifier: GPL-2.0-or-later
"""General utilities that know nothing of kernels."""
