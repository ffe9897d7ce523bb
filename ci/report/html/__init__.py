# SPDX-License-Identifier: GPL-2.0-or-later
"""report.html: the run as one page that a person opens."""
