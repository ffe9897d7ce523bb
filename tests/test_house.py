# SPDX-License-Identifier: GPL-2.0-or-later
"""Which folder may know what: the rig is about any series, and its own one is data and a suite."""

from pathlib import Path

from configs.host import NEEDS, lacks, tools_of
from configs.loader import load_profile
from configs.model import SuiteChoice
from testcases.registry import find_suite, package_files
from util.paths import ROOT

ROOMS = ("bench", "ci", "configs", "guests", "initramfs", "kernels", "testcases", "util", "rig.py", "Makefile")
OWN = ("configs/profiles", "kernels/series", "testcases/seccomp", "testcases/selftests/targets")
"""What may speak of seccomp: profiles, the series, its suite, and what a selftest target of that name needs."""
CONTAINER = "--security-opt seccomp=unconfined"
"""An option of container engines, which has nothing to do with what is tested."""


def test_nothing_else_knows_what_the_own_series_is_about() -> None:
    telling = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")) if (ROOT / room).is_dir() else [ROOT / room]:
            name = str(path.relative_to(ROOT))
            if path.is_file() and "__pycache__" not in name and not name.startswith(OWN):
                text = path.read_text("utf-8", "replace").replace(CONTAINER, "")
                telling += [name] if "seccomp" in text.lower() else []
    assert telling == []


def test_packages_of_a_suite_are_asked_for_by_that_suite(tmp_path: Path) -> None:
    assert package_files(["boot", "selftests/timers"]) == []
    (found,) = package_files(["seccomp/edges", "seccomp/corpus"])
    assert found in package_files()
    assert "libseccomp2" in {tool.package for tool in tools_of(found)}
    absent = tmp_path / "packages.yaml"
    absent.write_text("tools:\n  - {need: suites, command: no-such-program, package: some-package}\n")
    archs = ["x86_64"]
    assert "no-such-program" not in {lack.name for lack in lacks(archs)}
    assert ("some-package",) in {lack.packages for lack in lacks(archs, NEEDS, [absent])}


def test_suites_ask_for_the_kernel_that_they_need() -> None:
    for name in ("seccomp/edges", "seccomp/attach", "benchmark/seccomp"):
        suite, _topic = find_suite(name)
        (fragment,) = suite.fragments(SuiteChoice(name=name), ROOT)
        assert {"SECCOMP", "SECCOMP_FILTER"} <= {line.symbol for line in fragment.lines}


def test_profiles_without_a_suite_of_their_own_ask_for_what_the_series_changes() -> None:
    for name in ("seccomp-cache", "seccomp-cache-patches", "seccomp-cache-revert", "seccomp-cost"):
        assert {"CONFIG_SECCOMP=y", "CONFIG_SECCOMP_FILTER=y"} <= set(load_profile(name).config)
