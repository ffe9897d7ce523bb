# SPDX-License-Identifier: GPL-2.0-or-later
"""One report of every kind, put together from the kernel's format strings, with everything in it that differs from boot
to boot as a placeholder: {comm} and {pid} of the process, {cpu}, {addr} of an object, {line} in the source, {n} of
whatever is counted. `{func}` is the function at fault.

REPORTS are (name, kind, title, text); the title is the same in every boot.
"""

import random
import textwrap

HEAD = """
CPU: {cpu} PID: {pid} Comm: {comm} Not tainted 6.1.0 #1
Hardware name: QEMU
"""
X86 = """
RIP: 0010:{func}+0x{off}/0x90
RSP: 0018:{addr} EFLAGS: 00010246
Call Trace:
 <TASK>
 caller+0x20/0x40
 </TASK>
---[ end trace 0000000000000000 ]---
"""
ARM64 = """
Modules linked in:
CPU: {cpu} PID: {pid} Comm: {comm} Not tainted 6.1.0 #1
pstate: 60000005 (nZCv daif -PAN -UAO)
pc : {func}+0x{off}/0x90
lr : caller+0x18/0x30
sp : {addr}
Call trace:
 {func}+0x{off}/0x90
 caller+0x20/0x40
Code: aa1e03e9 d503201f
---[ end trace 0000000000000000 ]---
"""


def _stack(*frames: str) -> str:
    return HEAD + "Call Trace:\n <TASK>\n" + "".join(f" {frame}+0x10/0x20\n" for frame in (*frames, "{func}")) + " </TASK>\n"


def _x86(name: str) -> list[tuple[str, str, str, str]]:
    """A trap as 5.10 to 6.1 print it, and as later ones do."""
    text = f"{name}: 0000 [#{{n}}] PREEMPT SMP{HEAD}{X86}"
    title = f"{name} in {{func}}"
    return [(f"x86 {name}", "oops", title, text), (f"x86 Oops {name}", "oops", title, f"Oops: {text}")]


def _arm64(name: str) -> tuple[str, str, str, str]:
    text = f"Internal error: {name}: 0000000096000004 [#{{n}}] PREEMPT SMP{ARM64}"
    return f"arm64 {name}", "oops", f"Internal error: {name} in {{func}}", text


def _lockdep(what: str, *frames: str, title: str = "") -> tuple[str, str, str, str]:
    text = f"""
=====================================
WARNING: {what}
6.1.0 #1 Not tainted
-------------------------------------
{{comm}}/{{pid}} is doing something to lock:
{{addr}} (&a){{{{+.+.}}}}-{{{{2:2}}}}, at: somebody+0x1/0x2

other info that might help us debug this:
1 lock held by {{comm}}/{{pid}}:
 #0: {{addr}} (&b){{{{+.+.}}}}-{{{{2:2}}}}, at: caller+0x1/0x2

stack backtrace:
{_stack("dump_stack_lvl", *frames)}"""
    title = title or what
    return f"lockdep {what}", "lockdep", f"lockdep: {title} in {{func}}", text


_X86 = (
    "divide error", "overflow", "invalid opcode", "coprocessor segment overrun", "invalid TSS", "segment not present",
    "alignment check", "Split lock detected", "stack guard page", "double fault", "bounds", "int3", "simd exception",
    "fpu exception", "unexpected #NM exception", "iret exception", "Bad pagetable", "Oops", "debug", "spurious interrupt",
    "control protection fault",
)  # fmt: skip
_ARM64 = (
    "SP/PC alignment exception", "level 1 (translation table walk)", "level 3 synchronous parity error (translation table walk)",
    "Oops - BTI", "Oops - Undefined instruction", "Oops - undefined instruction", "Oops - FPAC", "Oops - CFI", "Oops - BUG", "Oops - KASAN",
    "Oops - GCS", "Oops - bad mode", "Oops", "synchronous external abort", "Unsupported atomic hardware update fault",
    "implementation fault (lockdown abort)", "alignment fault", "unknown 17", "aarch32 BKPT", "UBSAN: array index out of bounds",
)  # fmt: skip

REPORTS: list[tuple[str, str, str, str]] = [
    *(report for name in _X86 for report in _x86(name)),
    *(_arm64(name) for name in _ARM64),
    _lockdep("possible circular locking dependency detected", "print_circular_bug", "check_noncircular", "__lock_acquire", "lock_acquire", "_raw_spin_lock"),
    _lockdep("possible recursive locking detected", "print_deadlock_bug", "validate_chain", "__lock_acquire", "lock_acquire", "__mutex_lock", "mutex_lock_nested"),
    _lockdep("possible irq lock inversion dependency detected", "print_irq_inversion_bug", "check_usage_forwards", "mark_lock", "__lock_acquire", "lock_acquire"),
    _lockdep("inconsistent lock state", "print_usage_bug", "mark_lock_irq", "mark_lock", "mark_held_locks", "lockdep_hardirqs_on_prepare", "trace_hardirqs_on"),
    _lockdep("SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected", "print_bad_irq_dependency", "check_irq_usage", "check_prev_add", "validate_chain", "__lock_acquire", "lock_acquire"),
    _lockdep("bad unlock balance detected!", "print_unlock_imbalance_bug", "lock_release", "_raw_spin_unlock"),
    _lockdep("bad contention detected!", "print_lock_contention_bug", "lock_contended", "_raw_spin_lock"),
    _lockdep("held lock freed!", "print_freed_lock_bug", "debug_check_no_locks_freed", "kfree"),
    _lockdep("Nested lock was not taken", "print_lock_nested_lock_not_held", "__lock_acquire", "lock_acquire"),
    _lockdep("chain_key collision", "print_collision", "validate_chain", "__lock_acquire"),
    _lockdep("suspicious RCU usage", "lockdep_rcu_suspicious"),
    _lockdep("{comm}/{pid} still has locks held!", "print_held_locks_bug", "debug_check_no_locks_held", title="still has locks held!"),
    ("lockdep user space", "lockdep", "lockdep: lock held when returning to user space! in {func}",
     "WARNING: lock held when returning to user space!\n6.1.0 #1 Not tainted\n------\n{comm}/{pid} is leaving the kernel with locks still held!\n"
     "1 lock held by {comm}/{pid}:\n #0: {addr} (&a){{+.+.}}-{{2:2}}, at: {func}+0x1/0x2\n"),
    ("lockdep wait context", "lockdep", "lockdep: Invalid wait context in {func}",
     "[ BUG: Invalid wait context ]\n6.1.0 #1 Not tainted\n------\n{comm}/{pid} is trying to lock:\nstack backtrace:" + _stack("dump_stack_lvl", "__lock_acquire", "lock_acquire", "_raw_spin_lock")),
    ("lockdep key", "lockdep", "lockdep: trying to register non-static key in {func}",
     "INFO: trying to register non-static key.\nThe code is fine but needs lockdep annotation, or maybe\n" + _stack("dump_stack_lvl", "assign_lock_key", "register_lock_class", "__lock_acquire", "lock_acquire")),
    ("spinlock", "spinlock", "spinlock wrong owner in {func}",
     "BUG: spinlock wrong owner on CPU#{cpu}, {comm}/{pid}\n lock: {addr}, .magic: dead4ead, .owner: <none>/-1\n" + _stack("spin_dump", "do_raw_spin_unlock", "_raw_spin_unlock")),
    ("rwlock", "spinlock", "rwlock bad magic in {func}", "BUG: rwlock bad magic on CPU#{cpu}, {comm}/{pid}, {addr}\n" + _stack("dump_stack", "rwlock_bug", "do_raw_write_lock", "_raw_write_lock")),
    ("kasan", "kasan", "KASAN: slab-use-after-free in {func}",
     "BUG: KASAN: slab-use-after-free in {func}+0x{off}/0x90\nRead of size {n} at addr {addr} by task {comm}/{pid}\n\n" + _stack("dump_stack_lvl", "print_report", "kasan_report") + "\n====\n"),
    ("kasan memset", "kasan", "KASAN: slab-out-of-bounds in {func}",
     "BUG: KASAN: slab-out-of-bounds in __memset+0x1/0x2\nWrite of size {n} at addr {addr} by task {comm}/{pid}\n\n" + _stack("dump_stack_lvl", "print_report", "kasan_report", "kasan_check_range", "__asan_memset") + "\n====\n"),
    ("kasan null", "kasan", "KASAN: null-ptr-deref in {func}", "BUG: KASAN: null-ptr-deref in {func}+0x{off}/0x90\nRead of size {n} at addr 0000000000000010 by task {comm}/{pid}\n" + _stack("kasan_report") + "====\n"),
    ("kcsan", "kcsan", "KCSAN: data-race in {func} / other", "BUG: KCSAN: data-race in {func} / other\n\nwrite to {addr} of {n} bytes by task {pid} on cpu {cpu}:\n {func}+0x1/0x2\n\n====\n"),
    ("kcsan assert", "kcsan", "KCSAN: assert: race in {func}", "BUG: KCSAN: assert: race in {func}+0x{off}/0x90\n\nrace at unknown origin, with read to {addr} of {n} bytes by task {pid} on cpu {cpu}:\n====\n"),
    ("kmsan", "kmsan", "KMSAN: uninit-value in {func}", "BUG: KMSAN: uninit-value in {func}+0x{off}/0x90 [mod 0123456789abcdef0123456789abcdef01234567]\n {func}+0x1/0x2\n\nCPU: {cpu} PID: {pid} Comm: {comm}\n====\n"),
    ("kmsan leak", "kmsan", "KMSAN: kernel-infoleak in {func}", "BUG: KMSAN: kernel-infoleak in _copy_to_user+0x1/0x2\n" + _stack("_copy_to_user") + "====\n"),
    ("kfence", "kfence", "KFENCE: use-after-free read in {func}", "BUG: KFENCE: use-after-free read in {func}+0x{off}/0x90\n\nUse-after-free read at 0x{addr} (in kfence-#{n}):\n {func}+0x{off}/0x90\n====\n"),
    ("kfence memory", "kfence", "KFENCE: memory corruption in {func}", "BUG: KFENCE: memory corruption in {func}+0x{off}/0x90\n\nCorrupted memory at {addr}\n====\n"),
    ("ubsan", "ubsan", "UBSAN: shift-out-of-bounds in kernel/foo.c in {func}", "UBSAN: shift-out-of-bounds in ../kernel/foo.c:{line}:{n}\nshift exponent {n} is too large\n" + _stack("dump_stack_lvl", "__ubsan_handle_shift_out_of_bounds") + "---[ end trace ]---\n"),
    ("warn", "warn", "WARNING at kernel/foo.c in {func}", "WARNING: CPU: {cpu} PID: {pid} at kernel/foo.c:{line} {func}+0x{off}/0x90" + HEAD + X86),
    ("warn 6.19", "warn", "WARNING at kernel/foo.c in {func}", "WARNING: kernel/foo.c:{line} at {func}+0x{off}/0x90, CPU#{cpu}: {comm}/{pid}" + HEAD + X86),
    ("warn condition", "warn", "WARNING at kernel/foo.c in {func}", "WARNING: [a[1] != b] kernel/foo.c:{line} at {func}+0x{off}/0x90, CPU#{cpu}: {comm}/{pid}" + HEAD + X86),
    ("warn no file", "warn", "WARNING in {func}", "WARNING: CPU: {cpu} PID: {pid} at {func}+0x{off}/0x90" + HEAD + X86),
    ("warn 6.19 no file", "warn", "WARNING in {func}", "WARNING: at {func}+0x{off}/0x90, CPU#{cpu}: {comm}/{pid}" + HEAD + X86),
    ("refcount", "refcount", "refcount: saturated; leaking memory in {func}",
     "refcount_t: saturated; leaking memory.\nWARNING: CPU: {cpu} PID: {pid} at lib/refcount.c:{line} refcount_warn_saturate+0x1/0x2\nRIP: 0010:refcount_warn_saturate+0x1/0x2\n" + _stack("refcount_warn_saturate", "kref_get")),
    ("refcount behind", "refcount", "refcount: addition on 0; use-after-free in {func}",
     "WARNING: lib/refcount.c:{line} at refcount_warn_saturate+0x1/0x2, CPU#{cpu}: {comm}/{pid}\nrefcount_t: addition on 0; use-after-free.\nRIP: 0010:refcount_warn_saturate+0x1/0x2\n" + _stack("refcount_warn_saturate")),
    ("odebug", "debug-objects", "ODEBUG: free active timer_list in {func}",
     "ODEBUG: free active (active state 0) object: {addr} object type: timer_list hint: fn+0x0/0x10\nWARNING: lib/debugobjects.c:{line} at debug_print_object+0x1/0x2, CPU#{cpu}: {comm}/{pid}\n" + _stack("debug_print_object", "__debug_check_no_obj_freed", "kfree")),
    ("list add", "list-corruption", "list_add corruption in {func}", "list_add corruption. next->prev should be prev ({addr}), but was {addr}. (next={addr}).\nkernel BUG at lib/list_debug.c:{line}!\ninvalid opcode: 0000 [#{n}]\nRIP: 0010:__list_add_valid_or_report+0x1/0x2\n" + _stack("__list_add_valid_or_report")),
    ("list double", "list-corruption", "list_add corruption in {func}", "list_add double add: new={addr}, prev={addr}, next={addr}.\nWARNING: CPU: {cpu} PID: {pid} at lib/list_debug.c:{line} __list_add_valid+0x1/0x2\n" + _stack("__list_add_valid")),
    ("cfi", "cfi", "CFI failure in {func}", "CFI failure at {func}+0x{off}/0x90 (target: target+0x0/0x10; expected type: 0x{n}a540670c)\nOops: invalid opcode: 0000 [#{n}] SMP" + HEAD + X86),
    ("rcu self", "rcu-stall", "RCU stall in {func}", "rcu: INFO: rcu_preempt self-detected stall on CPU\nrcu: \t{cpu}-....: ({n} ticks this GP) idle=1 softirq=1/1 fqs=1\n\t(t={n} jiffies g={n} q=3)\n" + HEAD + "RIP: 0010:{func}+0x1/0x2\nCall Trace:\n caller+0x1/0x2\n"),
    ("rcu expedited", "rcu-stall", "RCU stall in {func}", "rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: {{ {cpu}-...D }} {n} jiffies s: {n} root: 0x1/.\nSending NMI from CPU {cpu} to CPUs 1:\nNMI backtrace for cpu 1\n" + HEAD + "RIP: 0010:{func}+0x1/0x2\nCall Trace:\n caller+0x1/0x2\n"),
    ("rcu tasks", "rcu-stall", "RCU stall in {func}", "INFO: rcu_tasks detected stalls on tasks:\n{addr}: .. nvcsw: {n}/{n} holdout: 1 idle_cpu: -1/{cpu}\ntask:{comm}    state:R  running task     stack:0 pid:{pid}\nCall Trace:\n __schedule+0x1/0x2\n {func}+0x1/0x2\n"),
    ("rcu preempt tasks", "rcu-stall", "RCU stall in {func}", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\nrcu: \tTasks blocked on level-0 rcu_node (CPUs 0-1): P{pid}/1:b..l\n\t(detected by {cpu}, t={n} jiffies, g={n}, q=1)\ntask:{comm} state:R\nCall Trace:\n __schedule+0x1/0x2\n {func}+0x1/0x2\n"),
    ("hung", "hung-task", "hung task in {func}", "INFO: task {comm}:{pid} blocked for more than {n} seconds.\n      Not tainted 6.1.0 #1\n\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.\ntask:{comm}   state:D stack:0 pid:{pid}\nCall Trace:\n __switch_to+0x1/0x2\n __schedule+0x1/0x2\n schedule+0x1/0x2\n schedule_preempt_disabled+0x1/0x2\n __mutex_lock.constprop.0+0x1/0x2\n {func}+0x1/0x2\nINFO: task {comm}:{pid} is blocked on a mutex likely owned by task other:{n}.\ntask:other state:S\nCall Trace:\n __schedule+0x1/0x2\n owner+0x1/0x2\n"),
    ("hung io", "hung-task", "hung task in {func}", "INFO: task {comm}:{pid} blocked in I/O wait for more than {n} seconds.\nCall trace:\n __switch_to+0x1/0x2\n __schedule+0x1/0x2\n io_schedule+0x1/0x2\n folio_wait_bit_common+0x1/0x2\n {func}+0x1/0x2\n"),
    ("soft lockup", "soft-lockup", "soft lockup in {func}", "watchdog: BUG: soft lockup - CPU#{cpu} stuck for {n}s! [{comm}:{pid}]\nModules linked in:" + HEAD + X86),
    ("hard lockup", "hard-lockup", "hard lockup in {func}", "CPU{cpu}: Watchdog detected hard LOCKUP on cpu {cpu}\nModules linked in:" + HEAD + X86),
    ("workqueue lockup", "workqueue-lockup", "workqueue lockup in {func}", "BUG: workqueue lockup - pool cpus={cpu} node=0 flags=0x0 nice=0 stuck for {n}s!\nShowing busy workqueues and worker pools:\nworkqueue events: flags=0x0\n  pwq {n}: cpus={cpu} node=0 flags=0x0 nice=0 active=1/256 refcnt={n}\n    in-flight: {pid}:{func}\n"),
    ("workqueue leak", "workqueue-leak", "workqueue leaked lock or atomic in {func}", "BUG: workqueue leaked lock or atomic: {comm}/0x{n}/{pid}\n     last function: {func}\n"),
    ("sleeping", "sleep-in-atomic", "sleeping function called from invalid context at kernel/foo.c in {func}", "BUG: sleeping function called from invalid context at kernel/foo.c:{line}\nin_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: {pid}, name: {comm}\npreempt_count: {n}, expected: 0\n" + _stack("dump_stack_lvl", "__might_resched", "__might_sleep", "__mutex_lock", "mutex_lock")),
    ("preemptible", "preemptible", "smp_processor_id in preemptible code in {func}", "BUG: using smp_processor_id() in preemptible [00000000] code: {comm}/{pid}\ncaller is {func}+0x1/0x2\n" + _stack("dump_stack", "check_preemption_disabled", "debug_smp_processor_id")),
    ("csd", "csd-lock", "CSD lock without answer in {func}", "smp: csd: Detected non-responsive CSD lock (#{n}) on CPU#{cpu}, waiting {n}000 ns for CPU#0{cpu} {func}+0x0/0x10({addr}).\nsmp: \tcsd: CSD lock (#{n}) unresponsive.\n" + _stack("dump_stack", "__csd_lock_wait", "smp_call_function_many_cond", "elsewhere")),
    ("busy inodes", "busy-inodes", "busy inodes after unmount ext4 in {func}", "VFS: Busy inodes after unmount of loop{n} (ext4)\nkernel BUG at fs/super.c:{line}!\nOops: invalid opcode: 0000 [#{n}]\nRIP: 0010:generic_shutdown_super+0x1/0x2\n" + _stack("kill_block_super")),
    ("netdev", "netdevice-in-use", "unregister_netdevice waits for a device that is in use", "unregister_netdevice: waiting for veth{n} to become free. Usage count = {n}\n"),
    ("cache", "cache-in-use", "kmem_cache_destroy: cache foo still has objects in {func}", "kmem_cache_destroy foo: Slab cache still has objects when called from {func}+0x{off}/0x90\nWARNING: mm/slab_common.c:{line} at kmem_cache_destroy+0x1/0x2, CPU#{cpu}: {comm}/{pid}\n" + _stack("kmem_cache_destroy")),
    ("cache 5.10", "cache-in-use", "kmem_cache_destroy: cache foo still has objects in {func}", "kmem_cache_destroy foo: Slab cache still has objects\n" + _stack("dump_stack", "kmem_cache_destroy")),
    ("sysfs", "sysfs-duplicate", "duplicate file name in sysfs in {func}", "sysfs: cannot create duplicate filename '/devices/virtual/foo{n}'\n" + _stack("dump_stack", "sysfs_warn_dup", "sysfs_create_dir_ns", "kobject_add_internal", "kobject_add", "device_add")),
    ("allocation", "page-allocation", "page allocation failure in {func}", "{comm}: page allocation failure: order:{n}, mode:0x{n}c0(GFP_KERNEL), nodemask=(null),cpuset=/,mems_allowed=0\n" + _stack("dump_stack_lvl", "warn_alloc", "__alloc_pages_slowpath.constprop.0", "__alloc_pages", "kmalloc_order", "__kmalloc") + "Mem-Info:\nactive_anon:{n}\n"),
    ("irq", "irq", "interrupt that nobody cared for in {func}", "irq {n}: nobody cared (try booting with the \"irqpoll\" option)\n" + HEAD + "Call Trace:\n <IRQ>\n dump_stack+0x1/0x2\n __report_bad_irq+0x1/0x2\n note_interrupt+0x1/0x2\n handle_irq_event+0x1/0x2\n </IRQ>\nhandlers:\n[<{addr}>] {func} [mod]\nDisabling IRQ #{n}\n"),
    ("serror", "serror", "SError Interrupt exception in {func}", "SError Interrupt on CPU{cpu}, code 0x00000000be000011 -- SError\nCPU: {cpu} PID: {pid} Comm: {comm} Not tainted\npstate: 60000005\npc : {func}+0x{off}/0x90\nlr : caller+0x1/0x2\nKernel panic - not syncing: Asynchronous SError Interrupt\nCall trace:\n dump_backtrace+0x1/0x2\n panic+0x1/0x2\n nmi_panic+0x1/0x2\n---[ end Kernel panic - not syncing: Asynchronous SError Interrupt ]---\n"),
    ("trace", "trace", "call trace without a report in {func}", "it happened here\n" + _stack("dump_stack_lvl")),
    ("trace arm64", "trace", "call trace without a report in {func}", "it happened here" + HEAD + "Call trace:\n dump_backtrace+0x1/0x2\n show_stack+0x1/0x2\n dump_stack+0x1/0x2\n {func}+0x1/0x2\n"),
    ("guessed", "bug-at", "BUG at kernel/foo.c in {func}", "kernel BUG at kernel/foo.c:{line}!\ninvalid opcode: 0000 [#{n}]\nRIP: 0010:assertfail+0x1/0x2\nCall Trace:\n ? {func}+0x1/0x2\n"),
    ("skb", "bug-at", "BUG at net/core/skbuff.c in {func}", "kernel BUG at net/core/skbuff.c:{line}!\nOops: invalid opcode: 0000 [#{n}]\nRIP: 0010:skb_panic+0x1/0x2\n" + _stack("skb_over_panic", "skb_put")),
    ("rust", "bug-at", "BUG at rust/helpers/bug.c in {func}", "kernel BUG at rust/helpers/bug.c:{line}!\nOops: invalid opcode: 0000 [#{n}]\nRIP: 0010:rust_helper_BUG+0x1/0x2\n" + _stack("_RNvCscb18lrEyTSA_7___rustc17rust_begin_unwind", "_RNvNtCsf3Wz_4core9panicking9panic_fmt")),
    ("bad page", "bad-page", "Bad page state in {func}", "BUG: Bad page state in process {comm}  pfn:{n}\npage:{addr} refcount:-1 mapcount:0\n" + _stack("dump_stack_lvl", "bad_page", "free_page_is_bad_report", "free_unref_page_prepare", "free_unref_page", "__free_pages")),
    ("double fault", "stack-overflow", "stack overflow in {func}", "traps: PANIC: double fault, error_code: 0x0\ndouble fault: 0000 [#{n}] SMP" + HEAD + X86),
    ("guard page", "stack-overflow", "stack overflow in {func}", "BUG: TASK stack guard page was hit at {addr} (stack is {addr}..{addr})\nstack guard page: 0000 [#{n}] SMP" + HEAD + X86),
    ("gpf", "gpf", "general protection fault in {func}", "Oops: general protection fault, probably for non-canonical address 0xdead{n}: 0000 [#{n}] SMP" + HEAD + X86),
    ("null", "null-deref", "NULL pointer dereference in {func}", "BUG: kernel NULL pointer dereference, address: 00000000000000{n}0\n#PF: supervisor read access in kernel mode\nOops: 0000 [#{n}] SMP" + HEAD + X86),
    ("unknown bug", "bug", "BUG: key of object is odd in {func}", "BUG: key of object {addr} is odd {n} {comm}/{pid}\n" + _stack("dump_stack_lvl")),
    ("unknown warning", "warning", "WARNING: stack recursion on stack type in {func}", "WARNING: stack recursion on stack type {n}\n" + _stack("dump_stack_lvl")),
]  # fmt: skip


def boot(text: str, seed: int, func: str = "victim") -> str:
    """The report as boot number `seed` prints it."""
    dice = random.Random(seed)
    comms = ("prog", "kworker/u4:6", "kworker/1:2H", "ksoftirqd/0", "with blank", "a-b", "(deleted)", "cc1plus")
    values = {
        "comm": comms[seed % len(comms)],
        "pid": dice.randrange(2, 9999),
        "cpu": dice.randrange(8),
        "addr": f"ffff8880{dice.randrange(1 << 32):08x}",
        "line": dice.randrange(1, 4000),
        "n": dice.randrange(1, 90),
        "off": f"{dice.randrange(1, 0x80):x}",
        "func": func,
    }
    body = textwrap.dedent(text).strip("\n").replace("\n\nCPU:", "\nCPU:").format(**values)
    lines = ["Linux version 6.1.0 (test)", "a line before", *body.split("\n"), "clocksource: time goes on", "a line behind"]
    stamp = dice.random() * 90
    return "".join(f"[{stamp + place / 1000:12.6f}] {line}\n" for place, line in enumerate(lines))
