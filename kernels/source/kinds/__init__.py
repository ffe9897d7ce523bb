# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of source, one module each: Debian package, tarball, folder, git revision."""
