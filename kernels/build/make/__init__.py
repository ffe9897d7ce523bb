# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of make: its arguments, its compilers, its progress, its outputs."""
