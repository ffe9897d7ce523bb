# SPDX-License-Identifier: GPL-2.0-or-later
"""Writers over the results model, and the progress display."""
