# SPDX-License-Identifier: GPL-2.0-or-later
"""The rig's fast tests, and boots of a real kernel, on Debian 13: `python -m tests.debian13`.

A root file system is made once with debootstrap, in a cache folder of its own, and entered with pivot_root in a mount
and process namespace (a plain chroot forbids the user namespaces that bubblewrap needs). The rig is set up in it as
README says, so that a package that Debian 13 lacks is seen. Needs root, and debootstrap. The kernels come from the
host's cache: what is tried here is QEMU, the compilers and Python of Debian 13.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs

from tests.command import rig
from util.files.atomic import write_atomic
from util.paths import ROOT

SUITE = "trixie"
FOLDER = platformdirs.user_cache_path("kernel-patch-rig-tests") / "debian13"
FIRST = ("ca-certificates", "make")
"""What a fresh machine has, or what its owner installs to begin: `make setup` brings the rest."""
KEPT = (".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
ENTER = Path(__file__).with_name("enter.sh")
INSIDE = Path(__file__).with_name("inside.sh")
OF_THE_HOST = ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
"""How the host reaches its package servers."""


def main() -> None:
    if os.geteuid():
        sys.exit("python -m tests.debian13: needs root, for debootstrap and pivot_root: run it with sudo")
    root = made_root()
    for name in OF_THE_HOST:
        if Path(name).exists():
            shutil.copyfile(name, root / name.lstrip("/"))
    checkout(root / "rig")
    kernel(root / "kernels" / "x86_64")
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb", **pip}
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", str(ENTER), str(root)]
    sys.exit(subprocess.run([*command, "sh", "/rig/tests/debian13/inside.sh"], env=environment, check=False).returncode)


def made_root() -> Path:
    """The root file system, made at the first call; a call that was interrupted leaves nothing that counts."""
    root, mark = FOLDER / "root", FOLDER / "made"
    if mark.exists():
        return root
    print(f"== debootstrap of Debian 13 into {root}", flush=True)
    shutil.rmtree(root, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    include = f"--include={','.join(FIRST)}"
    subprocess.run(["debootstrap", "--variant=minbase", include, SUITE, str(root), mirror()], check=True)
    write_atomic(mark, SUITE)
    return root


def mirror() -> str:
    """The address from which the host takes Debian itself: the first that is no archive of security updates."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    return next(line for line in listed.stdout.splitlines() if "security" not in line)


def checkout(place: Path) -> None:
    """The working tree as it stands, beside a virtual environment that an earlier call left."""
    place.mkdir(exist_ok=True)
    excluded = [f"--exclude={name}" for name in KEPT]
    subprocess.run(["rsync", "--archive", "--delete", *excluded, f"{ROOT}/", f"{place}/"], check=True)


def kernel(place: Path) -> None:
    """A copy of the host's base kernel."""
    built = rig("build", "--series", "none", "--arch", "x86_64", "--quiet")
    if built.returncode:
        sys.exit(f"python -m tests.debian13: no kernel to boot: {built.stderr}")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    paths = [Path(line.partition(": ")[2]) for line in built.stdout.splitlines() if line.startswith("    ")]
    for path in {file for shown in paths for file in (shown, shown.with_name("System.map")) if file.exists()}:
        shutil.copy(path, place / path.name)


if __name__ == "__main__":
    main()
