# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py doctor`."""

import shlex
import sys

import click


@click.command("doctor")
@click.option("--mend", is_flag=True, help="Install what is missing.")
def COMMAND(mend: bool) -> None:  # noqa: N802
    """What this machine lacks, and the one command that mends it."""
    from ci.machine import doctor
    from configs.host import mend_command
    from configs.names import names

    archs = names("archs")
    findings, missing = doctor.examine(archs)
    if mend:
        if missing:
            doctor.mend(missing)
        if problem := doctor.mend_npm():
            click.echo(problem, err=True)
        findings, missing = doctor.examine(archs)
    for finding in findings:
        mark = "ok " if finding.ok else "!  " if finding.warning else "NO "
        click.echo(f"{mark} {finding.name}: {finding.text}")
    if missing:
        click.echo(f"mend it with: {shlex.join(mend_command(missing))}")
    sys.exit(0 if all(finding.ok or finding.warning for finding in findings) else 3)
