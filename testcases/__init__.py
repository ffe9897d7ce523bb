# SPDX-License-Identifier: GPL-2.0-or-later
"""The suites: guest programs in C beside the Python that feeds them and reads their output."""
