# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports of the architectures whose files bring their forms with them, put together from the kernel's format strings
(arch/s390/kernel/dumpstack.c, arch/s390/mm/fault.c; arch/riscv/kernel/traps.c, arch/riscv/kernel/process.c)."""

import pytest

from configs.loader import load_arch
from guests.crash.scan import LogReport, scan, split_lines
from guests.crash.splats import default_table
from guests.run.inspection import program_counters

S390_DUMP = """
Modules linked in:
CPU: 1 UID: 0 PID: 42 Comm: prog Not tainted 6.12.0 #1
Hardware name: QEMU 8561 QEMU (KVM/Linux)
Krnl PSW : 0704c00180000000 000003ffe01d2b8a (do_mq_open+0x2a/0x60)
           R:0 T:1 IO:1 EX:1 Key:0 M:1 W:0 P:0 AS:3 CC:0 PM:0 RI:0 EA:3
Krnl GPRS: 0000000000000001 0000000000000002 0000000000000003 0000000000000004
           0000000000000005 0000000000000006 0000000000000007 0000000000000008
Krnl Code: 000003ffe01d2b7e: a7f40001           brc     15,000003ffe01d2b80
          #000003ffe01d2b82: af000000           mc      0,0
          >000003ffe01d2b86: 0707               bcr     0,%r7
Call Trace:
 [<000003ffe01d2b8a>] do_mq_open+0x2a/0x60 
([<000003ffe01d2000>] stale+0x10/0x20)
 [<000003ffe01d3c4e>] __s390x_sys_mq_open+0x6e/0xb0 
 [<000003ffe0a00e2a>] __do_syscall+0x1aa/0x2f0 
 [<000003ffe0a1b2c2>] system_call+0x72/0x90 
Last Breaking-Event-Address:
 [<000003ffe01d2b40>] helper+0x40/0x48
---[ end trace 0000000000000000 ]---
"""  # noqa: W291 - the kernel prints the blank
RISCV_DUMP = """
Modules linked in:
CPU: 1 UID: 0 PID: 42 Comm: prog Not tainted 6.12.0 #1
Hardware name: riscv-virtio,qemu (DT)
epc : do_mq_open+0x2a/0x60
 ra : __riscv_sys_mq_open+0x6e/0xb0
epc : ffffffff801d2b8a ra : ffffffff801d3c4e sp : ff2000000001be60
 gp : ffffffff81001a78 tp : ff60000001f0e000 t0 : 0000000000000000
status: 0000000200000120 badaddr: 0000000000000000 cause: 000000000000000f
[<ffffffff801d2b8a>] do_mq_open+0x2a/0x60
[<ffffffff801d3c4e>] __riscv_sys_mq_open+0x6e/0xb0
[<ffffffff80a00e2a>] do_trap_ecall_u+0x1aa/0x2f0
[<ffffffff80a1b2c2>] handle_exception+0x150/0x15c
Code: 0001 0002 (8000) 0003
---[ end trace 0000000000000000 ]---
"""
S390_FAULT = f"""Unable to handle kernel pointer dereference in virtual kernel address space
Failing address: 0000000000000000 TEID: 0000000000000803
Fault in home space mode while using kernel ASCE.
AS:0000000001b3c007 R3:0000000000000024
Oops: 0004 ilc:3 [#1] SMP{S390_DUMP}"""
BUG = "------------[ cut here ]------------\nkernel BUG at ipc/mqueue.c:900!\n"
S390_BUG = f"{BUG}monitor event: 0040 ilc:2 [#1] SMP{S390_DUMP}"
NULL = "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010\n"
RISCV_BUG = f"{BUG}Kernel BUG [#1]{RISCV_DUMP}"


def reports(text: str) -> list[LogReport]:
    return scan(split_lines(f"[    1.0] before\n{text}after all that\n".encode()), default_table(), [], lambda _at: "")


@pytest.mark.parametrize(
    ("text", "kind", "title"),
    [
        (S390_FAULT, "page-fault", "bad memory access in do_mq_open"),
        (S390_BUG, "bug-at", "BUG at ipc/mqueue.c in do_mq_open"),
        (f"illegal operation: 0001 ilc:1 [#1] SMP{S390_DUMP}", "oops", "illegal operation in do_mq_open"),
        (f"{NULL}Oops [#1]{RISCV_DUMP}", "null-deref", "NULL pointer dereference in do_mq_open"),
        (RISCV_BUG, "bug-at", "BUG at ipc/mqueue.c in do_mq_open"),
        (
            f"Oops - illegal instruction [#1]{RISCV_DUMP}", "oops",
            "Oops - illegal instruction in do_mq_open",
        ),
    ],
)  # fmt: skip
def test_one_report_with_its_place_and_its_dump(text: str, kind: str, title: str) -> None:
    (report,) = reports(text)
    assert (report.fault.kind, report.fault.title) == (kind, title)
    assert report.taints == "D"
    assert "after all that" not in report.fault.lines
    assert any("end trace" in line for line in report.fault.lines)
    assert "stale+0x10/0x20" not in {place for place, _ in report.places}
    named = [place.partition("+")[0] for place, _ in report.places]
    assert named[:2] == ["do_mq_open"] * 2
    assert named[2].endswith("sys_mq_open")
    assert "helper" not in named


def test_where_a_hanging_processor_is() -> None:
    s390 = "CPU#0\nPSW=mask 0704c00180000000 addr 000003ffe01d2b8a cc 00\nCPU#1\nPSW=mask 0 addr 0\n"
    riscv = "\nCPU#0\n V      =   0\n pc       ffffffff801d2b8a\n mhartid  0000000000000000\n"
    assert program_counters(s390, load_arch("s390x")) == ((0, 0x3FFE01D2B8A),)
    assert program_counters(riscv, load_arch("riscv64")) == ((0, 0xFFFFFFFF801D2B8A),)
    assert program_counters("CPU#1\nRIP=ffffffff81000010 RFL=2\n", load_arch("x86_64")) == ((1, 0xFFFFFFFF81000010),)
    assert program_counters("CPU#0\n PC=ffff800010000010 X00=0\n", load_arch("aarch64")) == ((0, 0xFFFF800010000010),)
