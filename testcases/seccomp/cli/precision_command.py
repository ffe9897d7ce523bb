# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py filter precision`: which share of what is always allowed each design of the cache would find."""

from pathlib import Path

import click

from testcases.seccomp.cli.options import FilterWishes, wishes
from testcases.seccomp.prove.facts import KERNELS, kernel_facts
from util.errors import UserError


@click.command()
@wishes("5.10", tuple(KERNELS))
@click.option("--edges", "with_edges", is_flag=True, help="The filters made by hand as well, in a table of their own.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
def precision(*, wishes: FilterWishes, with_edges: bool, files: tuple[Path, ...]) -> None:
    """Which share of what is always allowed each proposed cache would find.

    The filters are the corpus: the container profile, systemd's sets and service settings, rules about arguments, and
    stacks of these; or FILES of your own (raw filters and OCI or Docker profiles). An exact oracle says what is always
    allowed. A design that caches less is slower than it need be; one that cached more would be wrong.

    \b
    ./rig.py filter precision
    ./rig.py filter precision --kernel 6.12 --arch x86_64 my-profile.json
    """
    from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS
    from testcases.seccomp.bpf.validate import attach
    from testcases.seccomp.cli.precision import measure, table
    from testcases.seccomp.corpus import corpus
    from testcases.seccomp.edges import edges
    from testcases.seccomp.filters.filter_file import file_members, kernel_arch
    from testcases.seccomp.filters.named_stack import NamedStack

    facts = kernel_facts(wishes.kernel)
    asked = tuple(dict.fromkeys(map(kernel_arch, wishes.abis))) or wishes.archs
    archs = asked or tuple(ARCH_ABIS)
    tables: list[tuple[str, list[NamedStack]]] = []
    if files:
        members = [member for one in archs for member in file_members(files, one, wishes.target)]
        for member in members:
            for found in attach(member.stack):
                if found is not None:
                    raise UserError(f"{member.origin}: the kernel refuses it: {found}")
        tables.append(("Filters of your own", members))
    else:
        tables.append(("Filters as people use them", [member for one in archs for member in corpus(one)]))
    if with_edges:
        tables.append(("Filters made by hand", [member for one in archs for member in edges(one)]))
    for title, members in tables:
        click.echo(table(measure(members, facts, wishes.abis), facts, f"{title}, Linux {wishes.kernel}"))
