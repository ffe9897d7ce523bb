# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's own filters as corpus members: programs, and profiles in JSON for container runtimes."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from testcases.seccomp.filters.filter_file import read_filter
from testcases.seccomp.filters.libseccomp import together
from testcases.seccomp.filters.member import ARCH_ABIS, Member
from testcases.seccomp.filters.oci import read_oci
from testcases.seccomp.filters.policy import Form
from util.errors import UserError


def named_files(option: str) -> tuple[Path, ...]:
    """The paths in the suite's option `filters: "a.json b.bpf"`; quotes as in a shell."""
    try:
        return tuple(Path(word) for word in shlex.split(option))
    except ValueError as error:
        raise UserError(f"option filters: {error}: {option}") from None


def file_members(paths: tuple[Path, ...], arch: str) -> Iterator[Member]:
    """A program, raw or as text, as it is; a profile (`.json`) as libseccomp makes it, in each form.

    Members are named by the file, so two files of one name are a mistake. Raises UserError, also for a profile that
    libseccomp cannot make a filter of.
    """
    names = [path.name for path in paths]
    for path in paths:
        if names.count(path.name) > 1:
            raise UserError(f"{path}: another file is named {path.name} too; results could not be told apart")
        if path.suffix == ".json":
            profile = read_oci(path, arch)
            for form in Form:
                program = together(profile.policy, profile.abis, form)
                yield Member(f"file/{path.name}/{form}", arch, profile.abis, (program,), str(path))
        else:
            program = read_filter(path, arch, Form.LINEAR)
            yield Member(f"file/{path.name}", arch, ARCH_ABIS[arch], (program,), str(path))
