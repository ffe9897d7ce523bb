# SPDX-License-Identifier: GPL-2.0-or-later
"""bubblewrap's argument list: namespaces of its own for everything, the host's programs read-only, nothing else."""

from collections.abc import Iterable
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Where programs and libraries stand on a host, whatever its architecture: those that are not there are left out."""
ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
"""What compilers, linkers and shells read of the host, and all that a build sees of it."""

_TMP_BYTES = 4 << 30
"""/tmp of a build is memory; compilers keep their intermediate files there."""


def bwrap(mounts: Iterable[str], chdir: str, settings: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The words before the command. `mounts` are bubblewrap's own options for the folders of the build.

    bubblewrap is started with an empty environment: `--clearenv` clears only the command's, and process 1 of the
    sandbox, which is bubblewrap's, keeps the one that it was started with for everybody to read.
    """
    return (
        *("env", "-i", "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--clearenv", "--hostname", "rig", *_system(), "--proc", "/proc", "--dev", "/dev"),
        *("--size", str(_TMP_BYTES), "--tmpfs", "/tmp", *mounts),
        *(word for name, value in settings for word in ("--setenv", name, value)),
        *("--chdir", chdir, "--"),
    )


def _system() -> tuple[str, ...]:
    """The host's programs and libraries, read-only, laid out as on the host (merged /usr or not)."""
    arguments: list[str] = []
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for path in map(Path, ETC):
        arguments += ["--ro-bind-try", str(path), str(path)]
    return tuple(arguments)
