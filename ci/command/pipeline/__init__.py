# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands for the jobs of a pipeline."""
