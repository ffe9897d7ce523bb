# SPDX-License-Identifier: GPL-2.0-or-later
"""The finished builds in the cache."""
