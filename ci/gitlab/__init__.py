# SPDX-License-Identifier: GPL-2.0-or-later
"""GitLab: the template and the child pipeline, what its jobs hand on, and what it shows of a run."""
