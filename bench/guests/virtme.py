# SPDX-License-Identifier: GPL-2.0-or-later
"""virtme-ng running `true`, for comparison with an empty guest: https://github.com/arighi/virtme-ng.

It shares the host's root with its guest, and so needs more of a kernel than ours do. Its users build one with the
configuration that it writes itself (`vng --build`). To tell what of the difference is the kernel's, it also runs one of
the rig's: its fragments, and with them 9p, overlayfs and what virtme-ng's init mounts.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.guests.boots import built
from bench.plain_build import lay_out, plain_build
from configs.loader import as_yaml, load_arch, load_profile
from util.paths import cache

RELEASE = "virtme-ng==1.42"
CONFIG = tuple(
    f"CONFIG_{name}=y"
    for name in (
        "PCI", "VIRTIO_PCI", "VIRTIO_NET", "NET", "INET", "UNIX", "PACKET", "NETDEVICES", "NETWORK_FILESYSTEMS",
        "NET_9P", "NET_9P_VIRTIO", "9P_FS", "BLOCK", "OVERLAY_FS", "DEVTMPFS", "SHMEM", "TMPFS", "SYSFS", "PROC_FS",
        "UNIX98_PTYS", "BINFMT_SCRIPT", "BINFMT_ELF", "INOTIFY_USER", "CGROUPS", "SECURITYFS", "MULTIUSER",
    )
)  # fmt: skip
"""Of what `virtme-configkernel` asks for, what a guest that runs one command uses."""


def install(folder: Path) -> Path:
    """`vng` in a virtual environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin/pip"), "install", "--quiet", RELEASE], check=True)
    return folder / "bin" / "vng"


def own_kernel(tool: Path, folder: Path) -> Path:
    """The bzImage of the built-in profile's base with virtme-ng's own configuration, built once for each tree and
    release of the tool: 17 minutes of processor time."""
    tree = json.loads((built("--series", "none", "--arch", "x86_64") / "manifest.json").read_text())["tree"]
    kept = cache("bench", f"{RELEASE}-{tree}") / "bzImage"
    if not kept.exists():
        source, output, arch = folder / "source", folder / "output", load_arch("x86_64")
        lay_out(cache("git") / "store.git", tree, source)
        subprocess.run([tool.with_name("virtme-configkernel"), "--defconfig"], cwd=source, check=True)
        config = (source / ".config").read_bytes()
        subprocess.run(["make", "-s", "mrproper"], cwd=source, check=True)
        plain_build(source, output, config, arch)
        shutil.copy(output / arch.outputs["image"], kept.with_suffix(".new"))
        kept.with_suffix(".new").rename(kept)
    return kept


def lean_kernel(folder: Path) -> Path:
    """The bzImage of 5.10 for x86_64 that serves virtme-ng, built by the rig or taken from its cache."""
    profile = load_profile("boot").model_copy(update={"config": CONFIG})
    path = folder / "virtme.yaml"
    path.write_text(as_yaml(profile.model_dump(mode="json")), encoding="utf-8")
    return built("--series", "none", "--profile", str(path), "--arch", "x86_64") / "image"


def virtme_boot(tool: Path, image: Path) -> float:
    """Wall seconds of one guest under TCG. Raises RuntimeError, TimeoutExpired.

    What the guest ran shows by a file that it leaves: the tool's own exit status needs a host with udev.
    """
    path = f"{tool.parent}:{os.environ['PATH']}"  # `vng` calls its own `virtme-run`
    with tempfile.TemporaryDirectory(prefix="rig-bench-") as folder:
        mark = Path(folder) / "ran"
        command = [str(tool), "--run", str(image), "--disable-kvm", "--force-9p", f"--rwdir={folder}"]
        start = time.monotonic()
        run = subprocess.run(
            [*command, "--exec", f"true && touch {mark}"],
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=300,
        )
        seconds = time.monotonic() - start
        if not mark.exists():
            raise RuntimeError(f"{' '.join(command)} ran nothing: {run.stderr.decode(errors='replace')}")
        return seconds
