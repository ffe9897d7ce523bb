# SPDX-License-Identifier: GPL-2.0-only
"""Accelerator probe, QEMU machines, console, result channel, crash triage."""
