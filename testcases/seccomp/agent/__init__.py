# SPDX-License-Identifier: GPL-2.0-or-later
"""The program in the guest (C), and its other half: what is sent to it and how its answer is read."""
