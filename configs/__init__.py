# SPDX-License-Identifier: GPL-2.0-only
"""Data: profiles, architectures, kconfig fragments, and the typed model that they load into."""
