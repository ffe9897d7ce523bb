# SPDX-License-Identifier: GPL-2.0-or-later
"""What the doctor says of the sandbox is what a build finds."""

from pathlib import Path

import pytest

from ci.machine import doctor
from configs.host import NEEDS, lacks, tools_of
from kernels.sandbox import sandbox
from util.errors import MachineError, UserError


def said(monkeypatch: pytest.MonkeyPatch, problem: str, switch: str) -> doctor.Diagnosis:
    """Of the sandbox, where its probe finds `problem` and the environment holds `switch`."""
    monkeypatch.setattr(sandbox, "probe", lambda _kind="bwrap": problem)
    monkeypatch.setenv(sandbox.SWITCH, switch)
    return next(finding for finding in doctor.examine(())[0] if finding.name == "sandbox")


def test_the_probe_of_builds_is_the_doctors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, "", "") == doctor.Diagnosis("sandbox", True, "bwrap works")
    problem = "bubblewrap does not work here (No permissions)"
    found = said(monkeypatch, problem, "")
    assert (found.ok, found.warning) == (False, True), "only builds need a sandbox"
    with pytest.raises(MachineError, match="No permissions") as raised:
        sandbox.sandbox_kind()
    assert found.text == str(raised.value)


def test_a_sandbox_that_is_switched_off_is_a_warning_and_needs_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    off = said(monkeypatch, "bubblewrap does not work here", "none")
    assert (off.ok, off.warning) == (False, True)
    assert "RIG_SANDBOX=none" in off.text
    monkeypatch.setenv("PATH", "")
    assert "bwrap" not in [lack.name for lack in lacks(())]
    monkeypatch.delenv(sandbox.SWITCH)
    assert "bwrap" in [lack.name for lack in lacks(())]


def test_a_wrong_switch_is_told_as_a_build_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, "", "nome").text == "RIG_SANDBOX=nome: must be one of bwrap, landlock, none"


def test_what_only_checks_of_patches_need_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    findings, missing = doctor.examine(())
    found = {finding.name: finding for finding in findings}
    assert (found["clang"].ok, found["clang"].warning, found["make"].warning) == (False, True, False)
    assert found["clang"].text.startswith("missing, for checks: package clang; without it those checks")
    assert {"clang", "sparse", "ld.lld"} <= {lack.name for lack in missing}, "--mend installs them all the same"
    assert "clang" not in [lack.name for lack in lacks((), NEEDS)], "a run does without"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tools: [{need: builds, command: make}]", "tool 1: .*'package'"),
        ("tools: [{need: builds, command: make, package: make, pakage: x}]", "tool 1: .*'pakage'"),
        ("tools: [{need: builds, package: make}]", "needs either a command or a file"),
        ("tools: [{need: building, command: make, package: make}]", "need: `building` is none of sources, builds"),
        ("tool: []", "no list of tools"),
        ("tools: [", "no list of tools"),
    ],
)
def test_a_mistake_in_a_file_of_packages_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "packages.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=problem) as raised:
        tools_of(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
