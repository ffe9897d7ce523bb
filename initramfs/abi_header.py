# SPDX-License-Identifier: GPL-2.0-or-later
"""`abi.h`: what our C programs for the guest must know of the ABI that they are compiled for, out of the `guest_code`
of the architecture's file. It holds

    counter()                 the guest's instructions, or its clock (testcases/benchmark/guest/counter.h)
    mark()                    an instruction that does nothing, and that no compiler writes
    raw_call(number, arg)     a system call without the C library around it
    TRAP_INSTRUCTION          assembly that raises SIGTRAP, or another signal that no program of ours handles

where ABI_CALL is defined before, the functions `native_call` and perhaps (HAVE_SECOND) `second_call` of
an agent, and UNSAFE_SECOND, what it cannot survive through the latter; where
ABI_TRACER is, set_number(pid, nr), by which a tracer changes the call that its task is about to make; and where they
are not as usual, CLONE_FLAGS (which argument of clone holds them), UNSAFE_NUMBERS (what an agent cannot survive) and
SAME_CALL (the bits by which two numbers differ).

In front of it stand ABI_AUDIT_ARCH, and CACHE_NAMES and CACHE_ARCHS of the tables that the kernel keeps of all ABIs, of
which CACHE_OWN is this one's, counted from 0.
"""

import hashlib

from configs.model import Abi, Arch
from util.files.cached import cached_file
from util.paths import cache
from util.stop import Stop

NAME = "abi.h"


def abi_header(arch: Arch, abi: Abi) -> str:
    """The text of the file."""
    tables = [one.system_calls for one in arch.abis.values() if one.system_calls.cache_name]
    names = ", ".join(f'"{table.cache_name}"' for table in tables)
    archs = ", ".join(f"{table.audit_arch:#x}u" for table in tables)
    return "\n".join(
        (
            "/* SPDX-License-Identifier: GPL-2.0-or-later */",
            "#ifndef ABI_H",
            "#define ABI_H",
            "",
            f"#define ABI_AUDIT_ARCH {abi.system_calls.audit_arch:#x}u",
            f"#define CACHE_NAMES {names}",
            f"#define CACHE_ARCHS {archs}",
            f"#define CACHE_OWN {[table.audit_arch for table in tables].index(abi.system_calls.audit_arch)}",
            "",
            abi.guest_code,
            "#endif",
            "",
        )
    )


def abi_flags(arch: Arch, abi: Abi, stop: Stop) -> tuple[str, ...]:
    """The compiler's option with which a program finds the file, which is made if it is not there. Raises Stopped."""
    text = abi_header(arch, abi).encode()
    folder = cache("initramfs", "abi") / hashlib.sha256(text).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    cached_file(folder / NAME, text, stop)
    return ("-I", str(folder))
