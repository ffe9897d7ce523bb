# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers in the fields that an instruction does not use: the kernel neither checks nor reads them.

Only comparisons use `jt` and `jf`. A reader of filters that adds them to its position after any other instruction, or
falls from one kind of instruction into the next, goes astray in these filters.
"""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import Instruction
from testcases.seccomp.bpf.seccomp_data import RET_ALLOW
from testcases.seccomp.edges.code import ALLOW, LD_ARCH, LD_NR, TAX, TXA, Edge, alu, errno, ja, jeq, native_number, st

_FIELDS = {"jt": (1, 0), "jf": (0, 1), "both": (1, 1), "far": (255, 255)}
_STRAIGHT = {
    "ld-nr": LD_NR, "ld-arch": LD_ARCH, "and": alu(bpf.AND, bpf.WORD), "or": alu(bpf.OR, 0), "ja": ja(0), "tax": TAX,
    "txa": TXA, "st": st(0),
}  # fmt: skip
"""Each goes on with the instruction behind it."""


def edges(arch: str) -> Iterator[Edge]:
    nr = native_number(arch, "getppid")
    for field, (jt, jf) in _FIELDS.items():
        for name, insn in _STRAIGHT.items():
            refuses = (LD_NR, jeq(nr, 0, 2), insn._replace(jt=jt, jf=jf), errno(3130), ALLOW)
            yield Edge(f"unused/{name}/{field}", (refuses,), f"{name} with numbers in {field}, then a refusal")
        over = (LD_NR, jeq(nr, 1, 0), ja(1)._replace(jt=jt, jf=jf), errno(3131), ALLOW)
        yield Edge(f"unused/ja-over/{field}", (over,), f"a jump over a refusal, with numbers in {field}")
        returns = (LD_NR, jeq(nr, 0, 1), errno(3132)._replace(jt=jt, jf=jf), ALLOW._replace(jt=jt, jf=jf), ALLOW)
        yield Edge(f"unused/ret/{field}", (returns,), f"returns with numbers in {field}")
    for name, insn in {"tax": TAX, "txa": TXA}.items():
        carries = (LD_NR, TAX, insn._replace(k=1), jeq(nr, 0, 1), errno(3133), ALLOW)
        yield Edge(f"unused/{name}/k", (carries,), f"{name} that carries a constant")
    returned = Instruction(bpf.RET | bpf.A, k=RET_ALLOW)
    ends = (LD_NR, jeq(nr, 0, 2), Instruction(bpf.LD | bpf.IMM, k=errno(3134).k), returned, ALLOW)
    yield Edge("unused/ret-a/k", (ends,), "a refusal in A is returned by an instruction that carries ALLOW")
