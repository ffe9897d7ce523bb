# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that appear whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from util.errors import MachineError

TEMPORARY = ".rig-tmp-"
"""Prefix of what a killed writer leaves behind; whoever cleans the folder may remove it."""


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replaces `path` in one step. Raises MachineError where the file system will not."""
    content = data.encode("utf-8", "replace") if isinstance(data, str) else data
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
