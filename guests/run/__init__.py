# SPDX-License-Identifier: GPL-2.0-or-later
"""One guest from power-on to its end."""
