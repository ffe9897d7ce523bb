# SPDX-License-Identifier: GPL-2.0-or-later
"""Where commands run that a stranger may have written."""
