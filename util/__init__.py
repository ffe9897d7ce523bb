# SPDX-License-Identifier: GPL-2.0-or-later
"""The ground floor: what knows nothing of kernels."""
