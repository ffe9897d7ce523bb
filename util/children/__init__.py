# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes and threads: run to their end, bounded in number, ended with the rig."""
