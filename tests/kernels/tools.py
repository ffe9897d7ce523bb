# SPDX-License-Identifier: GPL-2.0-or-later
"""git and b4 as they stand on a user's machine, on a clone of a tree: what they make of a series, to compare with."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

B4 = shutil.which("b4") or str(Path(sys.prefix) / "bin" / "b4")


def environment(home: Path) -> dict[str, str]:
    """A user with a name, and with nothing configured."""
    home.mkdir(exist_ok=True)
    names = {f"GIT_{role}_{what}": "t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    return {**os.environ, **own, **names, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def call(
    cwd: Path, *argv: str, env: Mapping[str, str], data: bytes | None = None
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(argv, cwd=cwd, env=dict(env), input=data, capture_output=True, check=False, timeout=120)


def clone(bundle: Path, branch: str, folder: Path) -> Path:
    env = environment(folder.with_name(f"{folder.name}-home"))
    done = call(folder.parent, "git", "clone", "-q", "-b", branch, str(bundle), str(folder), env=env)
    assert done.returncode == 0, done.stderr
    call(folder, "git", "checkout", "-q", "-B", branch, env=env)
    return folder


def git_am(tree: Path, mailbox: Path) -> str | None:
    """The tree that `git am` makes of a mailbox (or a maildir); None where it refuses it."""
    env = environment(tree.with_name(f"{tree.name}-home"))
    call(tree, "git", "reset", "-q", "--hard", "ORIG_BASE", env=env)
    done = call(tree, "git", "am", "-q", "--keep-cr", str(mailbox), env=env)
    if done.returncode != 0:
        call(tree, "git", "am", "--abort", env=env)
        return None
    return head(tree)


def head(tree: Path, what: str = "HEAD^{tree}") -> str:
    done = subprocess.run(["git", "rev-parse", what], cwd=tree, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def b4_am(tree: Path, mailbox: Path, message_id: str, out: Path, *options: str) -> str | None:
    """The tree of what `b4 am` makes of a thread in a local mailbox, and `git am` of that; None where it gives none."""
    env = environment(tree.with_name(f"{tree.name}-home"))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    argv = [B4, "-n", "--offline-mode", "--no-stdin", "am", "-m", str(mailbox), "-o", str(out), *options, message_id]
    call(tree, *argv, env=env)
    made = [*out.glob("*.mbx")]
    return git_am(tree, made[0]) if made else None


def message_ids(mailbox: Path) -> list[str]:
    return re.findall(r"^Message-ID: <(.*)>", mailbox.read_text(encoding="utf-8"), re.MULTILINE | re.IGNORECASE)
