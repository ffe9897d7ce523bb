# SPDX-License-Identifier: GPL-2.0-or-later
"""Output folders of shards, on their way from the child pipeline to the job of the parent that joins them.

GitLab gives a parent pipeline no way to its child's artifacts (its issue 285100), and a job's token may download
artifacts by the API only in paid tiers. The generic packages registry takes that token in every tier: one file for each
shard, under the number of the parent pipeline.
"""

import io
import os
import tarfile
from pathlib import Path

from ci.gitlab.server import Server
from util.errors import MachineError, UserError

PACKAGE = "rig-shards"
_MOST = 2 * 1024**3
"""Bytes that a shard may come to when it is unpacked."""


def pipeline() -> str:
    """The number of the parent pipeline, in any of its jobs or of its child's. Raises UserError."""
    number = os.environ.get("PARENT_PIPELINE_ID") or os.environ.get("CI_PIPELINE_ID", "")
    if not number:
        raise UserError("CI_PIPELINE_ID is not set: only a job of a pipeline hands on its shard")
    return number


def send(folder: Path, server: Server, number: str) -> int:
    """Uploads a shard's output folder. Returns the bytes sent. Raises MachineError and UserError."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; there is no shard to send")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.add(path, str(path.relative_to(folder)), recursive=False)
    server.put(_path(number, folder.name), content.getvalue())
    return len(content.getvalue())


def fetch(name: str, target: Path, server: Server, number: str) -> bool:
    """Downloads a shard into `target/<name>`. False where there is none. Raises MachineError."""
    path = _path(number, name)
    answer = server.get(path)
    if server.missing(path, answer):
        return False
    folder = target / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            if sum(member.size for member in members) > _MOST:
                raise MachineError(f"{path}: unpacks to more than {_MOST} bytes")
            archive.extractall(folder, members, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise MachineError(f"{path}: is no archive of a shard: {error}") from None
    return True


def _path(number: str, name: str) -> str:
    return f"packages/generic/{PACKAGE}/{number}/{name}.tar.gz"
