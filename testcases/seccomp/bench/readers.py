# SPDX-License-Identifier: GPL-2.0-or-later
"""The readers of filters that others wrote, each as a function of bytes, and good inputs of each from the tests."""

from pathlib import Path

import yaml

from testcases.seccomp.filters.filter_file import FilterFile
from testcases.seccomp.filters.target import FilterTarget, Runtime
from util.paths import ROOT

_FILTER_CASES = ROOT / "tests" / "testcases" / "seccomp" / "filters" / "filter_cases"


def _read_filter(data: bytes, name: str) -> None:
    for target in (FilterTarget("x86_64"), FilterTarget("aarch64", runtime=Runtime.RUNC)):
        FilterFile(Path(name), data).made(target)


def _read_oci(data: bytes) -> None:
    _read_filter(data, "profile.json")


def _oci_seeds() -> list[bytes]:
    return _files(_FILTER_CASES, Path(__file__).parent.parent, endings=(".json",))


def _read_filter_text(data: bytes) -> None:
    """Told by its content: YAML, policies, assembly, arrays, raw."""
    _read_filter(data, "profile.yaml" if b"kind:" in data else "filter")


def _filter_text_seeds() -> list[bytes]:
    own = _files(_FILTER_CASES, endings=(".txt", ".bpf", ".yaml", ".policy", ".asm"))
    policy = b"read: 1\nopen: arg1 == O_RDONLY || arg1 & 2; return EPERM\n@default: kill\n"
    profile = yaml.safe_load((_FILTER_CASES / "spo.json").read_text(encoding="utf-8"))
    return [*own, policy, yaml.safe_dump(profile).encode()]


def _files(*folders: Path, endings: tuple[str, ...]) -> list[bytes]:
    found = (path for folder in folders for path in folder.rglob("*") if path.name.endswith(endings))
    return [path.read_bytes() for path in sorted(found) if path.is_file()]


READERS = {"oci": (_read_oci, _oci_seeds), "filter": (_read_filter_text, _filter_text_seeds)}
