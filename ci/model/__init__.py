# SPDX-License-Identifier: GPL-2.0-or-later
"""The results model and the statistics in it: frozen values, no logic of a stage."""
