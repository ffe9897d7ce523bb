# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel tree says about itself."""

import re

from kernels.source.store import Store
from util.errors import UserError

_FIELD = re.compile(rb"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(\S*)[ \t]*$", re.MULTILINE)


def version_of(makefile: bytes) -> str | None:
    """The version that a kernel's top Makefile states (`5.10.262`, `6.12.0-rc1`); None if it states none."""
    found: list[tuple[bytes, bytes]] = _FIELD.findall(makefile)
    fields = {name.decode(): value.decode("ascii", "replace") for name, value in reversed(found)}
    if not fields.get("VERSION", "").isdigit() or not fields.get("PATCHLEVEL", "").isdigit():
        return None
    numbers = [fields["VERSION"], fields["PATCHLEVEL"], *filter(None, [fields.get("SUBLEVEL", "")])]
    return ".".join(numbers) + fields.get("EXTRAVERSION", "")


def require_kernel(store: Store, tree: str, spec: str) -> str:
    """The version of the kernel in `tree`. Raises UserError if it is no kernel tree."""
    version = version_of(store.blob(tree, "Makefile") or b"")
    if version is None or store.path_id(tree, "Kconfig") is None:
        raise UserError(f"{spec}: is not a kernel tree (no Makefile with VERSION and PATCHLEVEL, or no Kconfig)")
    return version
