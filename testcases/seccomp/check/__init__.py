# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel did against what the models say."""
