# SPDX-License-Identifier: GPL-2.0-or-later
"""Data: profiles, architectures, kconfig fragments, and the typed model that they load into."""
