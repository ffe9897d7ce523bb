# SPDX-License-Identifier: GPL-2.0-only
"""`rig.py list`: every name that a profile or the command line may use."""

from collections.abc import Iterator

from configs.loader import load_arch, load_profile, names
from kernels.kconfig import flavours
from kernels.source import known_sources
from testcases.registry import describe_suites


def lines() -> Iterator[str]:
    """Four lists with headings."""
    yield "profiles (--profile NAME, or a YAML file)"
    for name in names("profiles"):
        yield f"  {name}: {load_profile(name).description}"
    yield "architectures (--arch) and their ABIs (--abi)"
    for name in names("archs"):
        arch = load_arch(name)
        machines = ", ".join(arch.machines)
        yield f"  {name}: {', '.join(arch.abis)} (machines: {machines})"
    yield f"flavours (--flavour): {', '.join(flavours())}"
    yield "suites (--suite)"
    for name, text in describe_suites():
        yield f"  {name}: {text}"
    yield "sources (--source)"
    for spec, text in known_sources():
        yield f"  {spec}: {text}"
