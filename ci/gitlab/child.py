# SPDX-License-Identifier: GPL-2.0-or-later
"""The child pipeline: a job for each shard of a plan, as YAML.

Fields are those of GitLab's "CI/CD YAML syntax reference"; `retry:exit_codes` needs GitLab 16.11. What all jobs have in
common is the hidden job `.rig-job` of the template, which is copied, because a child pipeline sees nothing of its
parent's configuration.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ci.gitlab.schedule import Changes, script
from ci.model.shard import cell_at
from ci.plan.shards import ShardChoice, Shards
from util.errors import UserError

TEMPLATE = Path(__file__).parent / "rig.yml"
COMMON = ".rig-job"
PLAN_JOB = "rig-plan"
"""The job of the parent pipeline whose artifact holds the two files."""
BRANCHES_JOB = "rig-branches"
"""The same of a scheduled pipeline."""
CHILD, SHARDS = "child.yml", "shards.json"
NO_ANSWER = 3
"""Exit status of a run that the machine left without an answer."""
RIG = '"$RIG_DIR/rig.py"'
OUT, BUILDS = "rig-shards", "rig-builds"
"""Folders of a job: the output folders of shards, and kernels on their way to the jobs that boot them."""
LONGEST = 5 * 1024 * 1024
"""Bytes: GitLab refuses a larger archive as a child pipeline's configuration."""


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """`words` are the options of `rig.py check` that every job repeats; `folder` is where the two files lie, from the
    root of the project; `tags` are the runner's tags by architecture or accelerator, `accel` the accelerator that
    guests ask for. `root` is the project's folder in the job that writes the file: every runner has its own."""

    words: Sequence[str]
    folder: str
    tags: Mapping[str, Sequence[str]]
    accel: str
    root: str = ""


def child_pipeline(shards: Shards, options: ChildOptions) -> str:
    """The YAML file. Raises UserError where GitLab would not take it."""
    jobs: dict[str, Any] = {COMMON: common_job()}
    for shard in shards.shards:
        jobs[shard.name] = _job(shard, shards, options)
    return _yaml(jobs)


def _yaml(jobs: Mapping[str, Any]) -> str:
    check_needs(jobs)
    head = "# Written by the rig (`rig.py gitlab`) for one pipeline.\n"
    text = head + yaml.safe_dump(dict(jobs), sort_keys=False, width=120, allow_unicode=True)
    if len(text.encode()) > LONGEST:
        raise UserError(f"the child pipeline is {len(text.encode())} bytes long, and GitLab takes {LONGEST}")
    return text


def common_job() -> dict[str, Any]:
    """The hidden job of the template."""
    *_, body = yaml.safe_load_all(TEMPLATE.read_text(encoding="utf-8"))
    job: dict[str, Any] = body[COMMON]
    return job


def check_needs(jobs: Mapping[str, Any]) -> None:
    """GitLab refuses a pipeline whose jobs need what is not there. Raises UserError."""
    for name, job in jobs.items():
        for need in job.get("needs", ()) if isinstance(job, Mapping) else ():
            wanted = need if isinstance(need, str) else need["job"]
            if not (isinstance(need, Mapping) and ("pipeline" in need or need.get("optional"))) and wanted not in jobs:
                raise UserError(f"job {name} needs `{wanted}`, which is no job of this pipeline")


def _job(shard: ShardChoice, shards: Shards, options: ChildOptions) -> dict[str, Any]:
    builds = any(shard.name in other.after for other in shards.shards)
    words = " ".join(_quoted(word, options.root) for word in options.words)
    files = f"--shards {options.folder}/{SHARDS} --shard {shard.name} --out {OUT}/{shard.name}"
    script = [*([f"{RIG} gitlab unpack {BUILDS}"] if shard.after else []), f"{RIG} check {words} {files}"]
    packing = [f"{RIG} gitlab pack {OUT}/{shard.name} {BUILDS}/{shard.name}"] if builds else []
    paths = [f"{BUILDS}/{shard.name}/"] if builds else []
    job = job_of(shard.name, script, after=shard.after, packing=packing, paths=paths)
    if tags := _tags(shard, options):
        job["tags"] = tags
    return job


def job_of(
    name: str,
    script: Sequence[str],
    after: Sequence[str] = (),
    packing: Sequence[str] = (),
    paths: Sequence[str] = (),
    plan: str = PLAN_JOB,
) -> dict[str, Any]:
    """One job that leaves its results in `OUT/<name>` and sends them; tried again where the machine was at fault."""
    return {
        "extends": COMMON,
        "needs": [{"pipeline": "$PARENT_PIPELINE_ID", "job": plan}, *({"job": other} for other in after)],
        "script": list(script),
        "after_script": [
            *packing,
            f"{RIG} gitlab send {OUT}/{name}",
            f'{RIG} gitlab cache "$RIG_CACHE_MB"',
        ],
        "retry": {"max": 1, "exit_codes": [NO_ANSWER], "when": ["runner_system_failure"]},
        "allow_failure": {"exit_codes": [NO_ANSWER]},
        "artifacts": {"when": "always", "expire_in": "1 week", "paths": [f"{OUT}/{name}/", *paths]},
    }


def branch_pipeline(found: Changes, words: Sequence[str], root: str) -> str:
    """The YAML file of a scheduled pipeline: a job for each branch that changed; GitLab wants one job at least."""
    quoted = [_quoted(word, root) for word in words]
    jobs: dict[str, Any] = {COMMON: common_job()}
    for change in found.changes:
        jobs[change.name] = job_of(change.name, script(change, quoted, RIG, OUT), plan=BRANCHES_JOB)
    if not found.changes:
        jobs["nothing-changed"] = {"script": ["echo 'no branch has changed since it was green'"]}
    return _yaml(jobs)


def _tags(shard: ShardChoice, options: ChildOptions) -> list[str]:
    cells = [cell_at(place, "") for place in shard.places]
    keys = list(dict.fromkeys(cell.arch for cell in cells if cell.arch != "-"))
    if any(cell.abi != "-" for cell in cells):
        keys.append(options.accel)
    return list(dict.fromkeys(tag for key in keys for tag in options.tags.get(key, ())))


def _quoted(word: str, root: str) -> str:
    """For a shell; the project's folder stays a variable."""
    if root and root in word:
        return '"$CI_PROJECT_DIR"'.join(shlex.quote(part) if part else "" for part in word.split(root))
    return shlex.quote(word)


def read_tags(texts: Iterable[str], known: Sequence[str]) -> dict[str, list[str]]:
    """`KEY=TAG[,TAG]` as tags by key. Raises UserError."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, tags = text.partition("=")
        words = [word.strip() for word in tags.split(",")]
        if not equals or not all(words):
            raise UserError(f"--tag {text}: must be ARCH=TAG or ACCELERATOR=TAG, for example kvm=bare-metal")
        if key not in known:
            raise UserError(f"--tag {text}: `{key}` is no architecture or accelerator (known: {', '.join(known)})")
        found.setdefault(key, []).extend(words)
    return found
