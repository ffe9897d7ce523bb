# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines that are told to the user can be pasted where the rig was called."""

import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from junitparser import JUnitXml

from ci.command.shared.options import HELP_NAMES, values_of
from ci.plan.wishes import Wishes, make_plan
from ci.report.output import write_reports
from configs.loader import load_profile
from testcases.registry import CHECKER
from testcases.seccomp.cli.replay_command import replay
from tests.ci.samples import built, judged, ran
from tests.command import USER
from util.paths import ROOT, called_as

COPY = """
import sys
print(sys.argv[0])
"""


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("{rig}", "{rig}"), ("../{folder}/rig.py", "../{folder}/rig.py"), ("rig.py", "./rig.py"), ("pytest", "./rig.py")],
)
def test_the_program_is_named_as_it_was_called(monkeypatch: pytest.MonkeyPatch, typed: str, shown: str) -> None:
    words = {"rig": ROOT / "rig.py", "folder": ROOT.name}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", [typed.format(**words), "check"])
    assert called_as() == shown.format(**words)
    plan = make_plan(load_profile("seccomp-cache"), Wishes(), accel="tcg", jobs=1, fresh=False)
    assert {plan.command_for(cell)[0] for cell in plan.cells()} == {called_as()}


def test_the_name_survives_the_change_to_the_rigs_own_python(tmp_path: Path) -> None:
    """`rig.py` starts itself anew in its environment; a relative path, as from a kernel tree, stays one."""
    text = (ROOT / "rig.py").read_text(encoding="utf-8")
    head, mark, _rest = text.partition("import traceback\n")
    assert mark
    copy = tmp_path / "rig" / "rig.py"
    copy.parent.mkdir()
    copy.write_text(head + COPY, encoding="utf-8")
    (copy.parent / ".venv").symlink_to((ROOT / ".venv").resolve())
    (tmp_path / "linux").mkdir()
    done = subprocess.run(
        ["/usr/bin/env", "python3", "../rig/rig.py"], cwd=tmp_path / "linux", env=USER, capture_output=True, text=True,
        check=True, timeout=20,
    )  # fmt: skip
    assert done.stdout == "../rig/rig.py\n"


def test_the_time_of_a_build_is_the_time_of_its_case_in_both_reports(tmp_path: Path) -> None:
    run = judged([ran("base", {}), ran("patched", {})], [built("base"), built("patched")])
    write_reports(run, tmp_path)
    for name in ("junit.xml", "junit-patched.xml"):
        cases = [case for suite in JUnitXml.fromfile(str(tmp_path / name)) for case in suite]
        assert [case.time for case in cases if case.name == "kernel"] == [180.5], name


def test_replay_calls_the_function_that_it_was_handed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a command by its name: there is none here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked: list[tuple[str, object]] = []

    def check(profile: Path, **options: object) -> int:
        asked.extend(sorted(options.items()))
        assert load_profile(str(profile)).suites[0].name == "seccomp/replay"
        return 7

    @click.group()
    @click.pass_context
    def alone(context: click.Context) -> None:
        context.meta[CHECKER] = check

    alone.add_command(replay)
    text = tmp_path / "one.txt"
    text.write_text("ret #0x7fff0000\n", encoding="utf-8")
    done = CliRunner().invoke(alone, ["replay", str(text), "--abi", "x86_64,i386", "--series", "v4.mbox"])
    assert done.exit_code == 7, done.output
    assert ("abis", ("x86_64", "i386")) in asked
    assert ("series", "v4.mbox") in asked
    assert ("rerun", 0) in asked


def test_a_command_whose_words_were_read_alone_keeps_its_names_for_help() -> None:
    """click keeps the help option that a command made for its first context."""

    @click.command()
    @click.option("--much")
    def own(much: str) -> None:
        """Own."""

    @click.group(context_settings={"help_option_names": list(HELP_NAMES)})
    def alone() -> None:
        pass

    alone.add_command(own)
    assert values_of(own, ["--much", "5"]) == {"much": "5"}
    for name in HELP_NAMES:
        done = CliRunner().invoke(alone, ["own", name])
        assert done.exit_code == 0 and "Own." in done.output, done.output
