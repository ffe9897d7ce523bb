# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that give a person a guest: its console, a shell, a debugger."""
