# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py list`."""

import click


@click.command("list")
def COMMAND() -> None:  # noqa: N802
    """Profiles, architectures with their ABIs, flavours, suites, sources."""
    from ci.run.listing import lines

    for line in lines():
        click.echo(line)
