# SPDX-License-Identifier: GPL-2.0-or-later
"""What the suite brings for the rig's own measurements (`testcases.measured`)."""
