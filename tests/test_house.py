# SPDX-License-Identifier: GPL-2.0-or-later
"""Which folder may know what: the rig is about any series, and its own one is data and a suite."""

import ast
import re
from collections.abc import Iterator
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


ARCHITECTURE = re.compile(
    r"(?<![A-Za-z0-9])(?:x86(?:_64)?|x32|i[3-6]86|ia32|amd64|int80|INT80|aarch64|arm(?:64|hf|v7)?|s390x?|riscv(?:32|64)?|"
    r"ppc64(?:le|el)?|powerpc\w*|mips\w*|sparc\w*|EM_[A-Z0-9]+|X32|X86|AARCH64|ARM64|S390X?|RISCV\w*)(?![A-Za-z0-9]|_BIT)"
)
NAMES_ONE = {
    "bench": "measures on one machine, and says on which",
    "testcases/seccomp/bench": "measures on one machine, and says on which",
    "testcases/seccomp/edges": "filters that test x32's bit",
    "testcases/seccomp/filters/formats/c_expression.py": "the words of linux/audit.h that a filter in C may use",
    "testcases/seccomp/fuzz/values.py": "what a seed draws must stay the same for ever",
    "testcases/seccomp/prove/facts.py": "what released kernels do: x86 alone has uretprobe, which its cache exempts",
    "testcases/seccomp/prove/designs.py": "models of series, one of which treats x32 in a way of its own",
}
"""Where code may speak of an architecture, and why. Everything else learns it from `configs/archs`. The name X32_BIT
may stand anywhere in the suite: filters of every kernel test it."""


READ = (".py", ".c", ".h")
_C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def _spoken(tree: ast.AST) -> Iterator[str]:
    """The names and texts of a module, without what is written for people: docstrings and help."""
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("help", "metavar"):
            told |= {id(child) for child in ast.walk(node.value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value
        elif isinstance(node, ast.Name | ast.FunctionDef | ast.ClassDef | ast.Attribute):
            yield node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else node.name


def test_no_code_knows_an_architecture() -> None:
    """A new one is a YAML file and a fragment: what the code must know of it is data there."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")) if (ROOT / room).is_dir() else []:
            name, text = str(path.relative_to(ROOT)), path.read_text("utf-8") if path.suffix in READ else ""
            parts = _spoken(ast.parse(text)) if path.suffix == ".py" else [_C_COMMENT.sub("", text)]
            words = {match[0] for part in parts for match in ARCHITECTURE.finditer(part)}
            if words:
                found[name] = words
    allowed = {name for name in found if any(name == one or name.startswith(f"{one}/") for one in NAMES_ONE)}
    assert {name: words for name, words in found.items() if name not in allowed} == {}
    assert {one for one in NAMES_ONE if not any(name.startswith(one) for name in allowed)} == set()
