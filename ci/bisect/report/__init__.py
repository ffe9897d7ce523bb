# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bisection came to, and its reports."""
