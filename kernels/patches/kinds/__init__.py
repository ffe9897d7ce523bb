# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of series, one module each: folder of patches, git range, what b4 manages."""
