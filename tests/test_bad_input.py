# SPDX-License-Identifier: GPL-2.0-or-later
"""Every option that takes a value, with a mistake in it: one line that names the mistake, and exit status 2."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ci.command.registry import commands
from tests.command import own_cache, rig, rig_here
from tests.faketree import git
from tests.kernels.mailkit import write_series

MISTAKES = {
    "--profile": ("seccomp-cahce", "/nowhere.yaml", ""),
    "--source": (
        "/nowhere",
        "debian:linux_source",
        "tarball:/nowhere",
        "git:/nowhere@v1",
        "git:{repo}@nothing",
        "",
    ),
    "--series": ("/nowhere", "{repo}:start..nothing", "{repo}:nothing", "{tmp}", "{tmp}/empty", ""),
    "--revision": ("0", "x", "7"),
    "--only": ("0", "9", "two"),
    "--mailbox": ("/nowhere",),
    "--arch": ("x86", "x86_64,", ""),
    "--abi": ("mips", "x86_64,,x32", ""),
    "--flavour": ("plian", "plain,", ""),
    "--suite": ("selftest/seccomp", "seccomp/fuz", "boot,", ""),
    "--test": ("",),
    "--jobs": ("0", "many"),
    "--accel": ("fast", ""),
    "--host": ("machine", "ssh://", "http://machine"),
    "--identity": ("/nowhere",),
    "--rerun": ("-1", "often"),
    "--each-suite": ("bot", ""),
    "--cells": ("mips/*", "x86_64", ""),
    "--shard": ("one",),
    "--shards": ("/nowhere",),
    "--summary": ("=answer", "="),
    "--budget": ("soon", "0", "-5m", ""),
    "--names": ("a", "a,b,c", "a,a", ","),
    "--out": ("{repo}/Makefile", ""),
}
"""By option; `{repo}` is a kernel's repository, `{tmp}` a folder without patches."""
OTHERS = {
    ("b4-check", "--source"): ("/nowhere", "git:{repo}@nothing", ""),
    ("mutate", "--only"): ("0", "9", "kernel/fork.c", "kernel/seccomp.c:9-2", "kernel/seccomp.c:a", ":3", ""),
}
"""Where an option means something else in a command."""
COMMANDS = ("check", "compare", "mutate", "b4-check")


def options(name: str) -> Iterator[str]:
    command = next(command for command in commands() if command.name == name)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.is_flag and not parameter.hidden:
            yield parameter.opts[-1]


CALLS = [
    pytest.param(name, option, value, marks=pytest.mark.slow if name == "b4-check" else ())
    for name in COMMANDS
    for option in options(name)
    for value in OTHERS.get((name, option), MISTAKES.get(option, ()))
]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = write_series(tmp_path_factory.mktemp("bad") / "linux")
    (repo.parent / "empty").touch()
    (repo.parent / "series.mbox").write_text(git(repo, "format-patch", "--stdout", "start..main"))
    return repo


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_left_out(name: str) -> None:
    assert set(options(name)) <= set(MISTAKES), "an option without a mistake in the table"


@pytest.mark.parametrize(("name", "option", "value"), CALLS, ids=lambda value: value or "nothing")
def test_a_mistake_is_one_line_and_exit_2(
    name: str,
    option: str,
    value: str,
    repo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    series = str(repo.parent / "series.mbox")
    words = {"--source": f"git:{repo}@start", "--profile": "boot", "--arch": "x86_64", "--suite": "boot"}
    words |= {} if name == "compare" else {"--series": series}
    words |= {} if name == "b4-check" else {"--accel": "tcg", "--out": str(tmp_path / "out")}
    given: tuple[str, ...] = (series, series) if name == "compare" else ()
    if option == "--mailbox":
        given, words = _looked_up(name, words)
    if option == "--shard":
        words["--shards"] = str(repo.parent / "empty")
    value = value.format(repo=repo, tmp=tmp_path)
    words[option] = value
    said = [f"--summary{value}" if key == "--summary" else f"{key}={text}" for key, text in words.items()]
    # A mistake in what b4-check hands on is found by the run that it starts.
    quiet = ("--wait",) if name == "b4-check" else ("--quiet",)
    arguments = (name, *given, *said, *quiet)
    if name == "b4-check":
        ended = rig(*arguments, cwd=tmp_path, environment=own_cache(tmp_path))
    else:
        ended = rig_here(capsys, *arguments, cwd=tmp_path, environment=own_cache(tmp_path))
    assert ended.returncode == 2, (ended.stdout, ended.stderr)
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "fault of the rig" not in ended.stderr
    assert ended.stdout == ""


def _looked_up(name: str, words: dict[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Revisions and options with a message-id, for which a mailbox is looked into."""
    wanted = "nobody@nowhere.example"
    return ((wanted, wanted), words) if name == "compare" else ((), words | {"--series": wanted})
