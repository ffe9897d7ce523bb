# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's own filters as corpus members: programs, and profiles in JSON for container runtimes."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS, DEFAULT_ARCH
from testcases.seccomp.filters.filter_file import is_profile, open_files
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.policy import Form
from testcases.seccomp.filters.target import FilterTarget
from util.errors import UserError

_TARGET = FilterTarget(DEFAULT_ARCH)


def named_files(option: str) -> tuple[Path, ...]:
    """The paths in the suite's option `filters: "a.json b.bpf"`; quotes as in a shell."""
    try:
        return tuple(Path(word) for word in shlex.split(option))
    except ValueError as error:
        raise UserError(f"option filters: {error}: {option}") from None


def file_members(paths: tuple[Path, ...], arch: str, target: FilterTarget = _TARGET) -> Iterator[NamedStack]:
    """A program, raw or as text, as it is; a profile (`.json`, `.yaml`) as libseccomp makes it, in each form, for the
    container that `target` describes.

    Members are named by the file, so two files of one name are a mistake. Raises UserError, also for a profile that
    libseccomp cannot make a filter of.
    """
    names = [path.name for path in paths]
    for path in paths:
        if names.count(path.name) > 1:
            raise UserError(f"{path}: another file is named {path.name} too; results could not be told apart")
        (file,) = open_files((path,))
        for form in Form if is_profile(path) else (Form.LINEAR,):
            suffix = f"/{form}" if is_profile(path) else ""
            (made,) = file.made(replace(target, arch=arch, form=form))
            yield NamedStack(
                f"file/{path.name}{suffix}",
                (made.program,),
                arch=arch,
                abis=made.abis or ARCH_ABIS[arch],
                origin=str(path),
            )
