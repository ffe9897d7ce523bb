# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py list`: every name that a profile or the command line may use."""

from collections.abc import Iterator
from pathlib import Path

from ci.model.results import STATIC
from configs.debian import load_debian
from configs.loader import load_arch, load_profile, names
from kernels.kconfig.fragments import flavours
from testcases.registry import suite_names
from util.paths import ROOT


def lines() -> Iterator[str]:
    """Lists with headings, ready to print."""
    yield "profiles (--profile NAME, or the path of a YAML file)"
    for name in names("profiles"):
        yield f"  {name}: {load_profile(name).description}"
    yield "architectures (--arch) and their ABIs (--abi)"
    for name in names("archs"):
        arch = load_arch(name)
        yield f"  {name}: {', '.join(arch.abis)} (machines: {', '.join(arch.machines)})"
    yield "flavours (--flavour)"
    yield f"  {', '.join(flavours())}"
    yield "suites (--suite)"
    for name in (*suite_names(), *STATIC):
        yield f"  {name}"
    yield "sources (--source)"
    for package in sorted(load_debian().packages):
        yield f"  debian:{package}"
    yield "  tarball:FILE, tarball:URL#sha256=HEX, git:PATH@REV, git:URL@REV, or a folder"
    yield "series of our own (--series)"
    for folder in sorted((ROOT / "kernels" / "series").iterdir()):
        if folder.is_dir():
            yield f"  {folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder}"
