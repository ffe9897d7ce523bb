# SPDX-License-Identifier: GPL-2.0-or-later
"""Pipelines run by gitlab-ci-local: a kernel repository that includes the template, and what became of each job.

gitlab-ci-local exits with 0 for a job that `allow_failure: exit_codes` forgives and for a trigger whose child failed,
and it knows no `retry`. So the jobs are looked at one by one, by what it prints of each.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ci.gitlab.child import TEMPLATE
from ci.machine import npm
from tests.faketree import commit, git

PROGRAM = npm.modules() / ".bin" / "gitlab-ci-local"
needs_program = pytest.mark.skipif(not npm.wanted(), reason=f"{npm.SWITCH}=none")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_ENDED = re.compile(r"(\S+) +finished in [\d.]+ \w+ *(?:((?:FAIL|WARN) \d+)( +after_script)?)?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One call. `jobs` has the state of each job that ended: PASS, `WARN 3`, `FAIL 1`."""

    status: int
    output: str
    jobs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Project:
    """A kernel repository on a machine of its own: `rig` is where the rig is, `environment` that of its runner."""

    folder: Path
    rig: Path
    environment: Mapping[str, str]

    def configure(self, **inputs: object) -> None:
        """Writes and commits the project's own configuration."""
        shutil.copyfile(TEMPLATE, self.folder / "rig.yml")
        include = {"include": [{"local": "rig.yml", "inputs": {"jobs": 3, **inputs}}]}
        commit(self.folder, "ci: test", {".gitlab-ci.yml": yaml.safe_dump(include), ".gitignore": IGNORED})

    def run(self, *jobs: str, file: str = "", **variables: str) -> Pipeline:
        """The pipeline, or these jobs of it."""
        # those of a file reach the child pipeline as well, as a server's do
        given = {"CI_PROJECT_DIR": str(self.folder), "RIG_DIR": str(self.rig), **self._cache(), **variables}
        texts = {name: _plain(value) for name, value in given.items()}
        (self.folder / ".gitlab-ci-local-variables.yml").write_text(yaml.safe_dump(texts))
        command = [str(PROGRAM), *jobs, "--force-shell-executor"]
        command += ["--file", file] if file else []
        environment = {**self.environment, "HOME": str(self.folder.parent), "NO_COLOR": "1"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        output = _ANSI.sub("", done.stdout + done.stderr)
        states = {match[1]: match[2] or "PASS" for match in _ENDED.finditer(output) if not match[3]}
        states = {name: state for name, state in states.items() if name not in ("downloads", "pipeline")}
        return Pipeline(done.returncode, output, states)

    def _cache(self) -> dict[str, str]:
        return {"XDG_CACHE_HOME": self.environment["XDG_CACHE_HOME"]}


def _plain(value: str) -> dict[str, object]:
    """A path would otherwise become the path of a copy of the file."""
    return {"type": "variable", "values": {"*": value}}


IGNORED = "/.gitlab-ci-local*\n/rig-*/\n/.rig-*/\n"


def merge_request(project: Project, base: str) -> dict[str, str]:
    """The variables of a pipeline for the commits after `base`."""
    return {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(project.folder, "rev-parse", base).strip(),
        "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": git(project.folder, "rev-parse", "HEAD").strip(),
    }


def stand_in(folder: Path, root: Path) -> Path:
    """The rig as a runner finds it whose machine is set up already."""
    folder.mkdir()
    (folder / "rig.py").write_text(f'#!/bin/sh\nexec "{root}/rig.py" "$@"\n')
    (folder / "rig.py").chmod(0o755)
    (folder / "Makefile").write_text("setup:\n\t@true\n")
    return folder
