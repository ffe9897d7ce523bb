# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands share: groups of options, completion, progress and the stop signal."""
