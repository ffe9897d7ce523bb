# SPDX-License-Identifier: GPL-2.0-or-later
"""Accelerator probe, QEMU machines here or over SSH, console, result channel, crash triage."""
