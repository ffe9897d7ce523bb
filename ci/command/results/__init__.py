# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands about a run that has ended, read from its output folder."""
