# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not bring the rig down: signals, damaged files, and inputs that nobody would write."""
