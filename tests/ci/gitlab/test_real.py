# SPDX-License-Identifier: GPL-2.0-or-later
"""The real rig, real kernels and real guests in a pipeline of gitlab-ci-local."""

import contextlib
import json
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ci.gitlab.child import TEMPLATE
from ci.model.verdicts import RunVerdict
from tests.ci.gitlab.local import IGNORED, Project, merge_request, needs_program, stand_in
from tests.command import USER, results, rig
from tests.faketree import git
from util.paths import ROOT, cache_root

OPTIONS = "--arch x86_64 --abi x86_64 --suite boot,selftests/seccomp"


MARK = "RIG_TEST_PIPELINE"
"""In the environment of all that a pipeline starts, with a value of its own for each test."""


def kernel_repository(folder: Path, options: str = OPTIONS) -> Project:
    """5.10 with our series as its branch, by the objects of the rig's own store. Its files are not checked out, which
    would take a minute: the rig takes what it needs by itself. gitlab-ci-local looks at what is in the index."""
    shown = rig("check", *OPTIONS.split(), "--dry-run", "--quiet").stdout
    trees = [line.split() for line in shown.splitlines() if " worktree add " in line]
    store = Path(next(word for word in trees[0] if word.startswith("--git-dir=")).partition("=")[2])
    base, *_, head = dict.fromkeys(words[-1] for words in trees)
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".git/objects/info/alternates").write_text(f"{store / 'objects'}\n")
    git(folder, "update-ref", "refs/heads/main", head)
    git(folder, "tag", "base", base)
    shutil.copyfile(TEMPLATE, folder / "rig.yml")
    inputs = {"profile": "seccomp-cache", "options": options, "jobs": 4}
    (folder / ".gitlab-ci.yml").write_text(yaml.safe_dump({"include": [{"local": "rig.yml", "inputs": inputs}]}))
    (folder / ".gitignore").write_text(IGNORED)
    git(folder, "add", ".gitlab-ci.yml", "rig.yml", ".gitignore")
    environment = {**USER, "XDG_CACHE_HOME": str(cache_root().parent), MARK: uuid.uuid4().hex}
    # not the checkout itself: its `make setup` could make the virtual environment anew under the tests that run in it
    return Project(folder, stand_in(folder.parent / "rig", ROOT), environment)


@needs_program
@pytest.mark.real
def test_our_series_as_a_merge_request(tmp_path: Path) -> None:
    project = kernel_repository(tmp_path / "linux")
    ended = project.run(**merge_request(project, "base"))
    names = {"rig-plan", "rig-verdict", "build-x86_64-plain", "guests-x86_64-1"}
    assert ended.jobs == dict.fromkeys(names, "PASS"), ended.output
    joined = results(project.folder / "rig-results")
    assert joined.verdict is RunVerdict.PASS and joined.series and len(joined.series.patches) == 6
    alone = rig("check", *OPTIONS.split(), "--quiet", "--out", str(tmp_path / "alone"))
    assert alone.returncode == 0
    told = results(tmp_path / "alone")
    assert [item.test for item in joined.comparisons] == [item.test for item in told.comparisons]
    assert [item.verdict for item in joined.comparisons] == [item.verdict for item in told.comparisons]
    assert all(
        entry["location"]["path"]
        for entry in json.loads((project.folder / "rig-results/code-quality.json").read_text())
    )


@needs_program
@pytest.mark.real
def test_a_machine_at_fault_is_tried_again_and_then_yellow(tmp_path: Path) -> None:
    """Every guest is killed from outside, as by a host that runs out of memory; then the host has recovered."""
    project = kernel_repository(tmp_path / "linux", f"{OPTIONS} --fresh")
    request, guests = merge_request(project, "base"), "guests-x86_64-1"
    with _killing(project.environment[MARK]) as killed:
        ended = project.run(**request)
        assert killed and ended.jobs[guests] == ended.jobs["rig-verdict"] == "WARN 3", ended.output
        assert results(project.folder / "rig-results").verdict is RunVerdict.UNKNOWN
        assert "QEMU was killed by SIGKILL" in (project.folder / "rig-results" / "junit.xml").read_text()
        # what GitLab is asked to try again by itself, and gitlab-ci-local does not
        child = yaml.safe_load((project.folder / "rig-ci" / "child.yml").read_text())
        assert child[guests]["retry"] == {"max": 1, "exit_codes": [3], "when": ["runner_system_failure"]}
        assert project.run(guests, file="rig-ci/child.yml", **request).jobs == {guests: "WARN 3"}
    assert project.run(guests, file="rig-ci/child.yml", **request).jobs == {guests: "PASS"}
    assert project.run("rig-verdict", **request).jobs == {"rig-verdict": "PASS"}
    assert results(project.folder / "rig-results").verdict is RunVerdict.PASS


@contextlib.contextmanager
def _killing(mark: str) -> Iterator[list[int]]:
    """While it is open, each guest that carries the mark in its environment gets SIGKILL; yields their process ids."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    guest = b"\0-name\0" in (folder / "cmdline").read_bytes()
                    if guest and mark.encode() in (folder / "environ").read_bytes():
                        os.kill(int(folder.name), signal.SIGKILL)
                        killed.append(int(folder.name))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield killed
    finally:
        over.set()
        watcher.join()
