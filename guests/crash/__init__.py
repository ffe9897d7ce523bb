# SPDX-License-Identifier: GPL-2.0-or-later
"""What a console log says: splats and their table, symbols, decoded traces, the outcome."""
