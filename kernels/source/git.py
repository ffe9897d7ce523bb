# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs git so that neither the caller's environment nor its configuration changes the behaviour of the rig's own
repositories."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from util.children.program import Finished, run
from util.errors import MachineError
from util.stop import Stop

# `git rev-parse --local-env-vars`: set inside hooks and `git rebase --exec`, they would send us to another repository.
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
# Further ones that change what a command prints or does.
_OTHER = ("GIT_DIFF_OPTS", "GIT_EXTERNAL_DIFF", "GIT_LITERAL_PATHSPECS", "GIT_TRACE", "GIT_TEMPLATE_DIR", "GIT_EDITOR")

IDENTITY = "kernel-patch-rig"
DATE = "946684800 +0000"
"""The date of every commit that the rig makes: a commit id is then a function of its content."""

SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.fileMode=true",
    "core.symlinks=true",
    "core.compression=1",  # the store is a cache: time counts more than 15 % of its size
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "safe.directory=*",
    "advice.detachedHead=false",
    "protocol.ext.allow=never",
)


def environment(**extra: str) -> dict[str, str]:
    """The caller's environment without the variables that redirect git; messages in English, no prompt."""
    env = {name: value for name, value in os.environ.items() if name not in _LOCAL and name not in _OTHER}
    return env | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"} | extra


def own_environment(**extra: str) -> dict[str, str]:
    """The same for the rig's own repositories: the user's and the system's git configuration do not count either."""
    fixed = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    for role in ("AUTHOR", "COMMITTER"):
        fixed |= {
            f"GIT_{role}_NAME": IDENTITY,
            f"GIT_{role}_EMAIL": f"{IDENTITY}@localhost",
            f"GIT_{role}_DATE": DATE,
        }
    return environment(**fixed) | extra


def git_argv(git_dir: Path, *args: str) -> list[str]:
    """The argument list of a git command on one of the rig's own repositories."""
    options = [word for setting in SAFE for word in ("-c", setting)]
    return ["git", f"--git-dir={git_dir}", *options, *args]


def run_git(
    git_dir: Path,
    *args: str,
    data: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop: Stop | None = None,
    keep: Sequence[int] = (),
) -> Finished:
    """One git command on one of the rig's own repositories; any exit status is a value."""
    return run(git_argv(git_dir, *args), data=data, env=own_environment(**(env or {})), cwd=cwd, stop=stop, keep=keep)


def require(finished: Finished) -> bytes:
    """The standard output of a command that may not fail. Raises MachineError with the command and its words."""
    if finished.status != 0:
        name = next((word for word in finished.argv[1:] if not word.startswith("-") and "=" not in word), "")
        last = finished.words.splitlines()[-1:] or [f"exit status {finished.status}"]
        raise MachineError(f"git {name} failed in the rig's cache: {last[0]}")
    return finished.stdout


_NEUTRAL = "* -text -crlf !eol -filter -ident -working-tree-encoding !merge !diff !whitespace !conflict-marker-size\n"


def neutralise(git_dir: Path) -> None:
    """Files are checked out and merged as they are in the tree, whatever a `.gitattributes` in it says.

    A series may bring one, and `* text eol=crlf` or a filter would change every file of its checkout, and of the
    checkouts that are made from that one. `info/attributes` of a repository goes before those of a tree
    (gitattributes(5)).
    """
    file = git_dir / "info" / "attributes"
    if file.is_file() and file.read_text(encoding="ascii") == _NEUTRAL:
        return
    file.parent.mkdir(exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(_NEUTRAL, encoding="ascii")
    new.replace(file)
