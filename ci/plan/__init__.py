# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run will do: the plan, the variants as trees, the kernels to build."""
