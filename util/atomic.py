# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes files atomically: a reader sees the old content or the new, never a part."""

import contextlib
import os
import tempfile
from pathlib import Path

from util.errors import MachineError

TEMPORARY = ".rig-tmp-"
"""Prefix of the temporary file that a killed writer leaves behind; it may be removed."""


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replaces `path` in one step. Raises MachineError where the file cannot be written."""
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
