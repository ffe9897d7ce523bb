# SPDX-License-Identifier: GPL-2.0-or-later
"""Results model, verdict, writers, bisection, GitLab, executors."""
