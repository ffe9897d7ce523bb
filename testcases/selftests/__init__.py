# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own selftests: `selftests/<target>` runs `tools/testing/selftests/<target>` of the patched tree."""
