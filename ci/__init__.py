# SPDX-License-Identifier: GPL-2.0-only
"""Results model, verdict, writers, bisection, GitLab, executors."""
