# SPDX-License-Identifier: GPL-2.0-or-later
"""A reader for each form in which filters are written down; each gives a `MadeFilter` for a `FilterTarget`."""
