# SPDX-License-Identifier: GPL-2.0-or-later
"""Text that several reports share: cells, evidence, findings, figures and tables."""
