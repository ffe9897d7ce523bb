# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands around a check: what the cache holds, what the machine lacks, one kernel on the terminal."""

import os
import subprocess
from pathlib import Path

import pytest

from ci.machine import doctor
from tests.scenes.stage import Stage, says


@pytest.mark.slow
def test_clean_lists_what_a_check_left_and_removes_all_of_it_when_asked(stage: Stage) -> None:
    stage.cache = stage.folder / "own-cache"
    stage.patched(says("note=changed"))
    assert stage.check().status == 0
    listed = stage.call("clean", "--verbose")
    assert listed.status == 0
    assert "x86_64 base plain" in listed.stdout
    assert "results of cells" in listed.stdout
    kept = stage.call("clean", "--older-than", "1", "--verbose")
    assert "freed 0 MB" in kept.stdout
    assert "x86_64 base plain" in kept.stdout
    removed = stage.call("clean", "--all", "--verbose")
    assert removed.status == 0, removed.stderr
    assert "x86_64 base plain" not in removed.stdout
    builds = stage.cache / "kernel-patch-rig" / "builds"
    assert not [path for path in builds.rglob("vmlinux") if path.is_file()]
    again = stage.check()
    assert again.status == 0, again.stderr
    assert not any(build.cached for build in again.run.builds)


def test_doctor_finds_nothing_to_mend_where_all_tools_are(stage: Stage) -> None:
    ended = stage.call("doctor")
    lines = ended.stdout.splitlines()
    assert ended.status == (3 if any(line.startswith("NO ") for line in lines) else 0)
    for name in ("disk", "memory", "sandbox", "kvm"):
        assert any(line[4:].startswith(f"{name}: ") for line in lines), name


def test_doctor_warns_of_a_disk_too_full_for_a_first_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DISK_GB", 10**9)
    (line,) = [line for line in stage.call("doctor").stdout.splitlines() if line[4:].startswith("disk: ")]
    assert line.startswith("!   disk: ")
    assert "./rig.py clean" in line


@pytest.mark.slow
def test_doctor_installs_what_is_missing_by_one_command(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package manager is a script that notes its arguments and puts the missing program where it was missed."""
    stage.environment()
    programs, log = stage.folder / "bin", stage.folder / "installed"
    (programs / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {log}\ncp /bin/true {programs}/rig-needs-this\n')
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for name in ("apt-get", "sudo"):
        (programs / name).chmod(0o755)
    packages = stage.folder / "configs"
    packages.mkdir()
    text = "tools:\n  - {need: builds, command: rig-needs-this, package: rig-package}\n"
    (packages / "packages.yaml").write_text(text)
    monkeypatch.setattr("configs.host.CONFIGS", packages)
    before = stage.call("doctor")
    assert before.status == 3
    assert "NO  rig-needs-this: missing, for builds: package rig-package" in before.stdout
    assert "apt-get install" in before.stdout.splitlines()[-1]
    after = stage.call("doctor", "--mend")
    assert "rig-needs-this" not in after.stdout
    update, install = log.read_text().splitlines()
    assert update.startswith("update")
    assert install.startswith("install")
    assert "rig-package" in install


def test_a_check_on_a_machine_that_lacks_a_tool_is_one_line_and_exit_3(stage: Stage) -> None:
    tools = stage.folder / "tools"
    tools.mkdir()
    for name in ("git", "make"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (tools / name).symlink_to(found)
    whole = stage.environment
    stage.environment = lambda: whole() | {"PATH": str(tools)}  # type: ignore[method-assign]
    ended = stage.check()
    assert ended.status == 3
    (line,) = ended.stderr.splitlines()
    assert "qemu-system-x86_64" in line
    assert "apt-get install" in line


@pytest.mark.slow
def test_boot_shows_the_console_of_the_kernel_that_was_asked_for(stage: Stage) -> None:
    stage.patched(says("note=patched"))
    words = ("--profile", str(stage.folder / "scene.yaml"), "--accel", "tcg", "--quiet")
    stage.arguments()
    patched = stage.call("boot", *words)
    base = stage.call("boot", *words, "--variant", "base")
    assert (patched.status, base.status) == (0, 0), patched.stderr + base.stderr
    assert "Linux version 5.10.0" in patched.stdout
    assert "'note': 'patched'" in patched.stdout
    assert "note" not in base.stdout


@pytest.mark.slow
def test_boot_of_a_kernel_that_does_not_build_is_one_line(stage: Stage) -> None:
    stage.patched({"kernel/sched.c": "nonsense\n"})
    stage.arguments()
    ended = stage.call("boot", "--profile", str(stage.folder / "scene.yaml"), "--accel", "tcg", "--quiet")
    assert ended.status != 0
    assert len(ended.stderr.splitlines()) == 1, ended.stderr


def test_list_names_the_profiles_of_the_rig(stage: Stage) -> None:
    shown = stage.call("list").stdout
    assert "\n  boot: " in shown
    assert "selftests" in shown


def test_a_reader_that_leaves_early_ends_the_rig_quietly(stage: Stage) -> None:
    """As in `rig.py list | true`."""
    command = f"{Path(__file__).parents[2] / 'rig.py'} list | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, env=os.environ)
    assert "Traceback" not in done.stderr
    assert stage.call("--version").stdout.startswith("rig.py ")
