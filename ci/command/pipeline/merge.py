# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py merge`."""

import sys
from pathlib import Path

import click


@click.command("merge")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The joined output.")
@click.option("--shards", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The shards that the plan was divided into, to say by name which one is missing.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Name every cell and every test that changed.")
@click.option("--quiet", is_flag=True, help="Print one line.")
def COMMAND(folders: tuple[Path, ...], out: Path, shards: Path | None, verbose: bool, quiet: bool) -> None:  # noqa: N802
    """Join the output folders of a plan's parts to the results of one run.

    The parts come from `rig.py check --cells` or `--shard`, on any machines. Reports and exit status are those of a run
    of the whole plan; a part that is missing or was cut off is without answer (exit 3). Nothing is run. With --shards
    one DIR is enough that holds a folder for each shard.
    """
    from ci.merge.merge import merge
    from ci.plan.shards import read_shards
    from ci.report import terminal

    known = read_shards(shards) if shards else None
    if known and len(folders) == 1:
        folders = tuple(folders[0] / shard.name for shard in known.shards)
    joined = merge(folders, out.resolve(), known)
    run = joined.run
    for note in joined.notes:
        click.echo(note, err=True)
    if quiet:
        click.echo(f"{run.verdict}: {run.summary}")
    else:
        click.echo(terminal.show(run, verbose=verbose), nl=False)
        click.echo(f"reports: {out.resolve()}", err=True)
    sys.exit(run.exit_code)
