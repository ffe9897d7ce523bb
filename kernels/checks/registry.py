# SPDX-License-Identifier: GPL-2.0-or-later
"""Every static check, and one run of all of them over a series."""

from collections.abc import Iterator, Sequence

from kernels.checks.check import CannotCheckError, PatchInTree, StaticCheck, StaticCheckResult, told_apart
from kernels.checks.fixes import FIXES
from kernels.checks.inline import INLINE
from kernels.checks.kconfig_names import KCONFIG
from kernels.checks.kernel_doc import KERNEL_DOC
from kernels.checks.mail_text import MAIL
from kernels.checks.maintainers import MAINTAINERS
from kernels.checks.selftest_files import SELFTESTS

CHECKS: tuple[StaticCheck, ...] = (MAIL, MAINTAINERS, FIXES, INLINE, KCONFIG, SELFTESTS, KERNEL_DOC)
"""In the order of the report."""


def run_checks(patches: Sequence[PatchInTree], checks: Sequence[StaticCheck] = CHECKS) -> Iterator[StaticCheckResult]:
    """Each check of each patch. Raises Stopped, MachineError."""
    for check in checks:
        for item in patches:
            item.stop.check()
            yield _run(check, item)


def _run(check: StaticCheck, item: PatchInTree) -> StaticCheckResult:
    if not check.applies(item):
        return StaticCheckResult(check, item.patch, applied=False)
    try:
        return StaticCheckResult(check, item.patch, told_apart(check.run(item), item.added))
    except CannotCheckError as reason:
        return StaticCheckResult(check, item.patch, skipped=str(reason))
