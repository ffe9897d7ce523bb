# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests: what they cost beside bare QEMU and virtme-ng, and how exact their counts are."""
