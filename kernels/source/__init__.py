# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a tree comes from: Debian package, tarball, git, folder; the store and its worktrees."""
