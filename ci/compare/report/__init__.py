# SPDX-License-Identifier: GPL-2.0-or-later
"""The reports of a comparison of revisions: text, JSON, page."""
