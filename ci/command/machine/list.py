# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py list`."""

from typing import TYPE_CHECKING

import click

from ci.command.shared import complete
from ci.command.shared.running import running

if TYPE_CHECKING:
    from configs.model import Profile


@click.command("list")
@click.option("--source", metavar="SPEC", help="Name the selftests of this base tree too, as `check` takes it.")
@click.option(
    "--suite",
    metavar="NAME",
    help="Say of each topic of this suite whether it runs here, or what it needs: selftests. Without --source it is "
    "asked about the base of the default profile.",
    shell_complete=complete.suites,
)
@click.option("--arch", metavar="NAME", default="", shell_complete=complete.archs,
              help="The architecture that --suite asks about; absent: the first of the default profile.")  # fmt: skip
def COMMAND(source: str | None, suite: str | None, arch: str) -> None:  # noqa: N802
    """Profiles, architectures with their ABIs, flavours, suites with their topics, sources."""
    from ci.machine.listing import lines, offers

    if source is None and suite is None:
        click.echo("\n".join(lines()))
        return
    from kernels.source.resolve import resolve_source
    from kernels.source.store import Store
    from kernels.source.worktree import worktree

    with running(quiet=False) as (emit, stop):
        store = Store()
        commit = resolve_source(source or _usual().source, store, emit, stop).commit
        with worktree(store, commit, emit, stop) as tree:
            text = "\n".join(offers(suite, tree, arch or _usual().archs[0]) if suite else lines(tree))
    click.echo(text)


def _usual() -> "Profile":
    from ci.command.shared.options import default_profile
    from configs.loader import load_profile

    return load_profile(default_profile())
