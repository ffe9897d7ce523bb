# SPDX-License-Identifier: GPL-2.0-or-later
"""Joins the results of a plan's shards."""
