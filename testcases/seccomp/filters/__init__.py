# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters that people write: files, OCI profiles, libseccomp policies, reproducers."""
