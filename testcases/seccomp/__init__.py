# SPDX-License-Identifier: GPL-2.0-or-later
"""What seccomp's filters decide, in models and in the kernel under test."""
