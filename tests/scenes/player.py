#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A fake QEMU that plays what its kernel image tells it to.

The kernel of a scene holds a text `<scene>WORD ...</scene>` (`tests.scenes.stage`), whose words are

    fail=TEST,TEST   these tests say `not ok`, each named as PROGRAM.TEST
    skip=TEST,TEST   these are skipped
    end=ENDING       how the guest ends: a function of `tests.guests.fake_qemu`, or one of those below
    in=PROGRAM       where it ends, if that runs: as it starts, and not as the last one starts
    clock=N          what the guest's clock says a step took, in seconds: more than it did on a busy host
    cost=N           what a system call without a filter costs, for the suites `benchmark/...`
    covers=OBJECT    the counters of this object (flavour gcov), after a call of its `schedule`
    KEY@N=VALUE      the same for the Nth attempt alone (0 is the first run, 1 the first re-run)
    KEY#N=VALUE      the same for the mutant of this number alone

Every program of the job reports the tests `a` and `b` unless the scene says otherwise.
"""

import os
import re
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import NoReturn

from tests.guests import fake_qemu
from tests.guests.fake_qemu import Fake, forever

TESTS = ("a", "b")


def words_of(kernel: bytes, attempt: int, mutant: int = 0) -> dict[str, str]:
    """What the kernel image says about this attempt or mutant. A kernel without such a text has nothing special about
    it."""
    found = re.search(rb"<scene>(.*?)</scene>", kernel)
    pairs = [word.partition("=") for word in found[1].decode().split()] if found else []
    general = {key: value for key, _, value in pairs if "@" not in key and "#" not in key}
    special = (f"@{attempt}", f"#{mutant}")
    return general | {re.split("[@#]", key)[0]: value for key, _, value in pairs if key.endswith(special)}


def steps_of(initrd: bytes) -> list[str]:
    """The names of the steps in `/rig/job`, behind its times and sysctls (format: initramfs/job.py)."""
    fields = initrd[initrd.rindex(b"rig-job/2\0") :].split(b"\0")
    at = 6
    at += 1 + 2 * int(fields[at])
    count, at = int(fields[at]), at + 1
    names = []
    for _ in range(count):
        names.append(fields[at].decode())
        at += 3
        for _list in ("arguments", "environment", "files to collect"):
            at += 1 + int(fields[at])
    return names


def play(fake: Fake, steps: list[str], words: dict[str, str]) -> None:
    """A guest that runs all its programs, and ends well or as the scene says."""
    failing, skipped = (words.get(word, "").split(",") for word in ("fail", "skip"))
    fake.hello(steps=len(steps))
    ending = words.get("end", "")
    for number, name in enumerate(steps):
        fake.start(number)
        if ending and name == words.get("in", steps[-1]):
            ENDINGS[ending](fake)
        if name == "coverage":
            if "covers" in words:
                fake.record(6, covered(number, words["covers"]))
            fake.exit(number, how=4)
            continue
        if name.startswith("benchmark/"):
            fake.output(measured(int(words.get("cost", 200))), number)
            fake.exit(number)
            continue
        good = [f"{name}.{test}" not in failing for test in TESTS]
        pairs = enumerate(zip(good, TESTS, strict=True), 1)
        marks = {test: " # SKIP" if f"{name}.{test}" in skipped else "" for test in TESTS}
        lines = [f"{'ok' if ok else 'not ok'} {at} {test}{marks[test]}" for at, (ok, test) in pairs]
        fake.output("\n".join(("TAP version 13", f"1..{len(TESTS)}", *lines, "")), number)
        fake.exit(number, value=0 if all(good) else 1, seconds=float(words.get("clock", 0.5)))
    if ending and not steps:
        ENDINGS[ending](fake)
    fake.end()
    fake.leave()


def covered(step: int, target: str) -> bytes:
    """The record of a .gcda file. The object is real: linked to a program of this machine, it counts as in a kernel."""
    import subprocess  # seldom needed, and a fifth of the start of hundreds of guests
    import tempfile

    objects = Path(sys.argv[sys.argv.index("-kernel") + 1]).parent / "objects"
    with tempfile.TemporaryDirectory() as folder:
        main = Path(folder) / "main.c"
        main.write_text("int schedule(void);\nint main(void) { schedule(); return 0; }\n")
        program = [f"{folder}/main", str(main), str(objects / target), "-lgcov"]
        subprocess.run(["gcc", "-no-pie", "-o", *program], check=True)
        subprocess.run([program[0]], env={"GCOV_PREFIX": folder}, check=True)
        name = f"/sys/kernel/debug/gcov/out/{target.removesuffix('.o')}.gcda"
        data = (Path(folder) / "out" / target).with_suffix(".gcda").read_bytes()
    return struct.pack("<IH", step, len(name)) + name.encode() + data


def measured(cost: int) -> str:
    """Two figures as `testcases/benchmark/guest/samples.c` prints them, in instructions or thousandths of a tick."""
    unit = "insns" if "-icount" in sys.argv else "mticks"
    figures = {"call/none/getppid/unfiltered": (cost, unit), "clock/rate": (1_000_000_000, "ticks")}
    return "".join(f"figure\t{name}\t{unit}\t{value}\t{value}\n" for name, (value, unit) in figures.items())


# Ends after the programs were started: none of them comes back, except for those that let the last program finish.


def panics(fake: Fake) -> None:
    fake.console("[    1.000000] Kernel panic - not syncing: the scene asks for it\r\n")
    fake.leave()


def sends_garbage(fake: Fake) -> None:
    fake.raw(b"\x05\x00\x00\x00garbage that is no record at all")
    forever()


def hangs(_fake: Fake) -> None:
    forever()


def test_hangs(fake: Fake) -> None:
    while True:
        fake.beat()
        time.sleep(0.05)


def resets(fake: Fake) -> None:
    fake.leave()


def powers_off(fake: Fake) -> None:
    fake.leave("guest-shutdown")


def dies(_fake: Fake) -> None:
    sys.stderr.write("qemu: device exploded\n")
    sys.stderr.flush()
    os._exit(1)


def accelerator_fails(fake: Fake) -> None:
    fake.status = "internal-error"
    fake.event("STOP")
    forever()


def other_nonce(fake: Fake) -> None:
    fake.end("another")
    forever()


def interrupts_the_rig(_fake: Fake) -> None:
    """As if somebody pressed Ctrl-C just now: the rig is the parent of QEMU."""
    os.kill(os.getppid(), signal.SIGINT)
    forever()


def warns(fake: Fake) -> None:
    fake.console(
        "[    1.000000] ------------[ cut here ]------------\r\n"
        "[    1.000000] WARNING: CPU: 0 PID: 31 at kernel/sched.c:12 schedule+0x10/0x20\r\n"
        "[    1.000000] ---[ end trace 0123456789abcdef ]---\r\n"
    )


ENDINGS = {
    name: globals()[name]
    for name in (
        *("panics", "sends_garbage", "hangs", "test_hangs", "resets", "powers_off", "dies", "accelerator_fails"),
        *("other_nonce", "interrupts_the_rig", "warns"),
    )
}
BEFORE_INIT = ("silent", "init_dies", "init_says_nothing", "panic_before_init", "bad_arguments")


def waits_for_gdb(where: str) -> NoReturn:
    stub = socket.socket(socket.AF_UNIX)
    stub.bind(where.removeprefix("unix:").partition(",")[0])
    stub.listen()
    forever()


def main() -> None:
    if "--version" in sys.argv:
        fake_qemu.main()
        return
    initrd = Path(sys.argv[sys.argv.index("-initrd") + 1]).read_bytes()
    kernel = Path(sys.argv[sys.argv.index("-kernel") + 1]).read_bytes()
    if "-gdb" in sys.argv:  # `rig.py gdb`: stopped before its first instruction
        waits_for_gdb(sys.argv[sys.argv.index("-gdb") + 1])
    if not any("id=qmp" in word for word in sys.argv):  # `rig.py boot`: nobody listens but a person
        print(f"{fake_qemu.BANNER}{words_of(kernel, 0)}", flush=True)
        return
    fake = Fake(sys.argv)
    fake.nonce = initrd[initrd.rindex(b"rig-job/2\0") :].split(b"\0")[1].decode()
    rerun = re.search(r"re-run (\d+)", fake.scene)
    mutant = re.search(r"\brig_mutant=(\d+)", " ".join(sys.argv))
    words = words_of(kernel, int(rerun[1]) if rerun else 0, int(mutant[1]) if mutant else 0)
    if fake.scene.startswith("probe "):
        words = {}  # the boot by which the rig proves the accelerator
    fake.ready.wait(5)
    if words.get("end") in BEFORE_INIT:
        getattr(fake_qemu, words["end"])(fake)
    play(fake, steps_of(initrd), words)


if __name__ == "__main__":
    main()
