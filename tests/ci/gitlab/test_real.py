# SPDX-License-Identifier: GPL-2.0-or-later
"""The real rig, real kernels and real guests in a pipeline of gitlab-ci-local."""

import json
import shutil
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


def kernel_repository(folder: Path, base: str, head: str, store: Path) -> Project:
    """5.10 with our series as its branch, by the objects of the rig's own store. Its files are not checked out, which
    would take a minute: the rig takes what it needs by itself. gitlab-ci-local looks at what is in the index."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".git/objects/info/alternates").write_text(f"{store / 'objects'}\n")
    git(folder, "update-ref", "refs/heads/main", head)
    git(folder, "tag", "base", base)
    shutil.copyfile(TEMPLATE, folder / "rig.yml")
    inputs = {"profile": "seccomp-cache", "options": OPTIONS, "jobs": 4}
    (folder / ".gitlab-ci.yml").write_text(yaml.safe_dump({"include": [{"local": "rig.yml", "inputs": inputs}]}))
    (folder / ".gitignore").write_text(IGNORED)
    git(folder, "add", ".gitlab-ci.yml", "rig.yml", ".gitignore")
    environment = {**USER, "XDG_CACHE_HOME": str(cache_root().parent)}
    # not the checkout itself: its `make setup` could make the virtual environment anew under the tests that run in it
    return Project(folder, stand_in(folder.parent / "rig", ROOT), environment)


@needs_program
@pytest.mark.real
def test_our_series_as_a_merge_request(tmp_path: Path) -> None:
    shown = rig("check", *OPTIONS.split(), "--dry-run", "--quiet").stdout
    trees = [line.split() for line in shown.splitlines() if " worktree add " in line]
    store = Path(next(word for word in trees[0] if word.startswith("--git-dir=")).partition("=")[2])
    commits = list(dict.fromkeys(words[-1] for words in trees))
    project = kernel_repository(tmp_path / "linux", commits[0], commits[-1], store)
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
