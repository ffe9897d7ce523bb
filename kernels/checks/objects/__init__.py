# SPDX-License-Identifier: GPL-2.0-or-later
"""What compilers and sparse say of the objects that a patch touches, in folders of their own beside the builds."""
