# SPDX-License-Identifier: GPL-2.0-or-later
"""Where QEMU runs: this machine, or another one over SSH."""
