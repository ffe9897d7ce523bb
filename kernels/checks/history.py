# SPDX-License-Identifier: GPL-2.0-or-later
"""The history behind a source: that of the git repository which it was taken from."""

from kernels.checks.check import SourceHistory
from kernels.patches.onto.base import source_place
from kernels.source.user_repo import UserRepo


def history_of(spec: str) -> SourceHistory | None:
    """The history of a source spec; None for what has none (a package, a tarball, a plain folder)."""
    if (place := source_place(spec)) is None:
        return None
    repo, revision = place
    base = repo.rev(revision, "commit")
    return _history(repo, base) if base else None


def _history(repo: UserRepo, base: str) -> SourceHistory:
    def subject(commit: str) -> str | None:
        if repo.rev(commit, "commit") is None:
            return None
        found = repo.git("show", "-s", "--no-show-signature", "--format=%s", commit)
        return found.stdout.decode("utf-8", "replace").strip()

    def is_before(commit: str) -> bool:
        return repo.git("merge-base", "--is-ancestor", commit, base).status == 0

    return SourceHistory(subject, is_before)
