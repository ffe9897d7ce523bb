# SPDX-License-Identifier: GPL-2.0-or-later
"""GitLab's own schema of its configuration, as check-jsonschema brings it along."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml


def problems(text: str) -> str:
    """What is wrong with one document of YAML; nothing where nothing is. The schema does not look into hidden jobs, so
    they are shown to it as the jobs that extend them."""
    loaded: dict[str, Any] = yaml.safe_load(text)
    for name in [name for name in loaded if name.startswith(".")]:
        loaded[f"shown-{name[1:]}"] = {"script": ["true"], **loaded.pop(name)}
    for job in loaded.values():
        if isinstance(job, dict):
            job.pop("extends", None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yml"
        path.write_text(yaml.safe_dump(loaded))
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
