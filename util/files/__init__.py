# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that other processes use at the same time: atomic, locked, sealed, cached."""
