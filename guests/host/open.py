# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens the host that the user named."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guests.host.host import LOCAL, Host


@contextmanager
def open_host(url: str, identity: Path | None = None) -> Iterator[Host]:
    """This machine for an empty URL, else the one behind it (ssh://[user@]machine[:port]) as long as the context lasts.

    `identity` is the file of a private key. Raises UserError for an address or keys that do not fit, MachineError for a
    machine that cannot be reached or lacks something.
    """
    if not url:
        yield LOCAL
        return
    from guests.host.ssh import parse_address
    from guests.host.ssh_host import open_ssh_host

    with open_ssh_host(parse_address(url, identity)) as host:
        yield host
