# SPDX-License-Identifier: GPL-2.0-or-later
"""The tasks of a run: what is built and booted, in which order, and what each guest is made of."""
