# SPDX-License-Identifier: GPL-2.0-or-later
"""From a kernel tree to an installed target: inputs, headers, libraries, the compiler's run."""
