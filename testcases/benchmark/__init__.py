# SPDX-License-Identifier: GPL-2.0-or-later
"""What a series costs, in guest instructions (exact on any machine, however noisy) or in wall time."""
