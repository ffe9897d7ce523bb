# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails, series and diffs; how a series is applied; checks of the text of a patch."""
