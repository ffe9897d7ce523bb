# SPDX-License-Identifier: GPL-2.0-or-later
"""One build: recipe, reuse of objects, the run of make, the store of builds."""
