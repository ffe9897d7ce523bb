# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py doctor`."""

import shlex
import sys

import click

from ci.command.shared import complete
from ci.command.shared.options import list_option


@click.command("doctor")
@click.option("--mend", is_flag=True, help="Install what is missing.")
@list_option("--arch", "archs", shell_complete=complete.of_list(complete.archs),
              help="Look for what these architectures need; absent: those of the default profile.")  # fmt: skip
def COMMAND(mend: bool, archs: tuple[str, ...]) -> None:  # noqa: N802
    """What this machine lacks, and the one command that mends it."""
    from ci.command.shared.options import default_profile
    from ci.machine import doctor
    from configs.host import mend_command
    from configs.names import did_you_mean, names, raw
    from util.errors import UserError

    archs = archs or tuple(raw("profiles", default_profile())["archs"])
    if strange := [name for name in archs if name not in names("archs")]:
        known = names("archs")
        hint = did_you_mean(strange[0], known)
        raise UserError(f"no architecture `{strange[0]}`{hint} (known: {', '.join(known)})")
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
