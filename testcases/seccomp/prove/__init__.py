# SPDX-License-Identifier: GPL-2.0-or-later
"""What filters decide for all arguments: sets, boxes, z3, the oracle, designs of the cache."""
