# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails, mailboxes and threads, and the diffs in them."""
