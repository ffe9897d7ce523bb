# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py list`."""

import click

from ci.command.running import running


@click.command("list")
@click.option("--source", metavar="SPEC", help="Name the selftests of this base tree too, as `check` takes it.")
def COMMAND(source: str | None) -> None:  # noqa: N802
    """Profiles, architectures with their ABIs, flavours, suites with their topics, sources."""
    from ci.run.listing import lines

    if source is None:
        click.echo("\n".join(lines()))
        return
    from kernels.source.resolve import resolve_source
    from kernels.source.store import Store
    from kernels.source.worktree import worktree

    store = Store()
    with running(quiet=False) as (emit, stop):
        commit = resolve_source(source, store, emit, stop).commit
        with worktree(store, commit, emit, stop) as tree:
            text = "\n".join(lines(tree))
    click.echo(text)
