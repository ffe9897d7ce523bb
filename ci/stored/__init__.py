# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done with the results of a run that has ended."""
