# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked of one kernel, who answers, and what is known."""
