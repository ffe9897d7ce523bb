# SPDX-License-Identifier: GPL-2.0-or-later
"""Which sandbox builds run in: the first that is proved to work here, `none` only where the user says so.

Each is proved by doing: a command in it has to write where it may, and must not read a file that it may not. What each
of them holds back is listed in `docs/sandbox.md`, from tests that attack it.
"""

import functools
import os
import shutil
import tempfile
from pathlib import Path

from kernels.sandbox import landlock
from kernels.sandbox.room import Room
from util.errors import MachineError, UserError
from util.stop import Stop

KINDS = ("bwrap", "landlock", "none")
"""From the strongest to none at all."""

SWITCH = "RIG_SANDBOX"
_PROOF = "echo proof > made && ! cat {secret} 2>&1"
GAPS = {
    "bwrap": "",
    "landlock": "a build can see the names and sizes of all files, change modes and times of the user's own files, and"
    " signal the user's other processes before Linux 6.12; nothing can be built from earlier objects",
    "none": "a build can read and write whatever you can, and reach the network",
}
"""What each kind does not hold back, in one line."""


def sandbox_kind() -> str:
    """One of KINDS: what RIG_SANDBOX says, or else the first that works. Raises UserError for a word that is none, and
    MachineError where no sandbox works, or not the one that was asked for."""
    asked = os.environ.get(SWITCH, "")
    if asked == "none":
        return asked
    if asked and asked not in KINDS:
        raise UserError(f"{SWITCH}={asked}: must be one of {', '.join(KINDS)}")
    candidates = (asked,) if asked else KINDS[:-1]
    problems = {}
    for kind in candidates:
        problems[kind] = probe(kind)
        if not problems[kind]:
            return kind
    reasons = "; ".join(f"{kind}: {problem}" for kind, problem in problems.items())
    raise MachineError(f"no sandbox for builds works here ({reasons}); {remedy()}")


def remedy() -> str:
    """What to do where no sandbox works."""
    return (
        "allow user namespaces (kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0;"
        " for a container --security-opt seccomp=unconfined), or run on Linux 5.13 or later with Landlock,"
        f" or set {SWITCH}=none to build without protection from the series"
    )


def probe(kind: str = "bwrap") -> str:
    """What keeps this kind of sandbox from working here, in one line; empty where it works. Found out once."""
    return probed(kind, shutil.which("bwrap"))


@functools.cache
def probed(kind: str, bwrap: str | None) -> str:
    """The same where bubblewrap is the program `bwrap`, or missing."""
    if kind == "none":
        return ""
    if kind == "bwrap" and bwrap is None:
        return "bubblewrap is not installed: `apt-get install bubblewrap`"
    if kind == "landlock" and not landlock.interface():
        return "this kernel has no Landlock, or was started without it (`lsm=`)"
    with tempfile.TemporaryDirectory(prefix="rig-probe-") as name:
        folder = Path(name)
        secret, source, output, log = folder / "secret", folder / "src", folder / "out", folder / "log"
        source.mkdir()
        output.mkdir()
        secret.write_text("secret\n", encoding="utf-8")
        status = Room(kind, source, output).run(("sh", "-c", _PROOF.format(secret=secret)), {}, log, Stop())
        said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())
        if status == 0 and (output / "made").is_file() and "secret\n" not in said:
            return ""
        return f"does not work here ({said[:300] or f'exit status {status}'})"
