# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py mutate`: would the tests notice if a line of the series were wrong?"""
