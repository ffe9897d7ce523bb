#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU without a machine: it speaks the console, the records and enough QMP to play one scene.

The scene's name is the guest's `-name`. It is written against the formats, not with the rig's own encoder, so that a
mistake in one is not hidden by the same mistake in the other.
"""

import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

NONCE = "nonce-1"
BANNER = "Linux version 5.10.0\r\n[    0.100000] Run /init as init process\r\n"


class Fake:
    def __init__(self, argv: list[str]) -> None:
        self.argv = argv
        text = " ".join(argv)
        self.scene = argv[argv.index("-name") + 1]
        self.results = socket.socket(fileno=int(re.findall(r"id=results,fd=(\d+)", text)[0]))
        self.qmp = socket.socket(fileno=int(re.findall(r"id=qmp,fd=(\d+)", text)[0]))
        self.status = "running"
        self.nonce = NONCE
        self.ready = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    # QMP

    def send(self, message: dict[str, Any]) -> None:
        self.qmp.sendall(json.dumps(message).encode() + b"\r\n")

    def serve(self) -> None:
        version = {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}
        self.send({"QMP": {"version": version, "capabilities": []}})
        for request in self.requests():
            answer = {"return": self.answer(request["execute"], request.get("arguments", {}))}
            if "id" in request:
                answer["id"] = request["id"]
            self.send(answer)
            if request["execute"] == "qmp_capabilities":
                self.ready.set()

    def requests(self) -> Iterator[dict[str, Any]]:
        """QMP's messages follow each other without a line end."""
        decoder, text = json.JSONDecoder(), ""
        while data := self.qmp.recv(65536):
            text += data.decode()
            while text := text.lstrip():
                try:
                    request, end = decoder.raw_decode(text)
                except ValueError:
                    break
                text = text[end:]
                yield request

    def answer(self, command: str, arguments: dict[str, Any]) -> object:
        if command == "migrate":
            import subprocess  # seldom needed, and it takes time at the start of every guest

            command = arguments["uri"].removeprefix("exec:")
            subprocess.run(["sh", "-c", command], input=b"saved", check=True)
        if command == "query-migrate":
            return {"status": "failed" if self.scene == "is_not_saved" else "completed"}
        if command == "query-status":
            return {"status": self.status, "running": self.status == "running"}
        if command == "human-monitor-command":
            return "\r\nCPU#0\r\nRAX=0 RIP=ffffffff81000010 RFL=46\r\nCPU#1\r\nRIP=00000000deadbeef RFL=46\r\n"
        if command == "inject-nmi":
            self.console("[    9.000000] NMI: asked\r\n")
        return {}

    def event(self, name: str, **data: object) -> None:
        self.ready.wait(5)
        stamp = {"seconds": 1, "microseconds": 0}
        self.send({"event": name, "data": data, "timestamp": stamp})

    # The two channels

    def console(self, text: str) -> None:
        os.write(1, text.encode())

    def record(self, kind: int, payload: bytes) -> None:
        body = bytes((kind,)) + payload
        self.raw(struct.pack("<II", len(payload), zlib.crc32(body)) + body)

    def raw(self, data: bytes) -> None:
        self.results.sendall(data)

    def hello(self, nonce: str = "", steps: int = 1, version: int = 1) -> None:
        self.console(BANNER)
        self.record(1, struct.pack("<HI", version, steps) + (nonce or self.nonce).encode())

    def start(self, step: int = 0) -> None:
        self.record(2, struct.pack("<I", step))

    def output(self, text: str, step: int = 0, stream: int = 1) -> None:
        self.record(3, struct.pack("<IB", step, stream) + text.encode())

    def exit(self, step: int = 0, how: int = 1, value: int = 0, seconds: float = 0.5) -> None:
        self.record(4, struct.pack("<IBiQ", step, how, value, int(seconds * 1e9)))

    def beat(self) -> None:
        self.record(5, struct.pack("<Q", time.monotonic_ns()))

    def end(self, nonce: str = "") -> None:
        self.record(7, (nonce or self.nonce).encode())

    def wait(self) -> None:
        self.record(10, b"")

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.results.recv(size - len(data))
        return data

    def whole_step(self) -> None:
        self.start()
        self.output("out")
        self.output("err", stream=2)
        self.exit()

    def leave(self, reason: str = "guest-reset", status: int = 0) -> None:
        self.event("SHUTDOWN", guest=True, reason=reason)
        sys.stdout.flush()
        os._exit(status)


def finished(fake: Fake) -> None:
    fake.hello()
    fake.whole_step()
    fake.end()
    fake.leave()


def empty(fake: Fake) -> None:
    fake.hello(steps=0)
    fake.end()
    fake.leave()


def saved(fake: Fake) -> None:
    """What is to be saved; as a copy, a guest that did what it was told."""
    if "-incoming" not in fake.argv:
        fake.console(BANNER)
        fake.wait()
        forever()
    magic, size = struct.unpack("<8sQ", fake.receive(16))
    seed, archive = fake.receive(64), fake.receive(size)
    fake.wait()
    (now,) = struct.unpack("<Q", fake.receive(8))
    fake.record(1, struct.pack("<HI", 1, 1) + NONCE.encode())
    fake.start()
    fake.output(repr([magic, len(set(seed)) > 16, archive[:6], abs(now - time.time_ns()) < 10**9]))
    fake.exit()
    fake.end()
    fake.leave()


is_not_saved = saved


def copy_dies(fake: Fake) -> None:
    """Is well where it is booted."""
    if "-incoming" in fake.argv:
        sys.stderr.write("qemu: load of migration failed: Invalid argument\n")
        sys.stderr.flush()
        os._exit(1)
    finished(fake)


def waits_in_vain(fake: Fake) -> None:
    """It was booted with its job."""
    fake.console(BANNER)
    fake.wait()
    forever()


def lingers_after_the_end(fake: Fake) -> None:
    fake.hello()
    fake.whole_step()
    fake.end()
    forever()


def reset_at_once(_fake: Fake) -> None:
    os._exit(0)


def reset(fake: Fake) -> None:
    fake.hello()
    fake.start()
    fake.leave()


def powered_off(fake: Fake) -> None:
    fake.hello()
    fake.start()
    fake.leave("guest-shutdown")


def halted(fake: Fake) -> None:
    fake.hello()
    fake.console("[    1.0] reboot: System halted\r\n")
    forever()


def panic(fake: Fake) -> None:
    fake.hello()
    fake.start()
    fake.console("[    1.000000] Kernel panic - not syncing: sysrq triggered crash\r\n")
    fake.leave()


def panic_that_stays(fake: Fake) -> None:
    fake.hello()
    fake.console("[    1.000000] Kernel panic - not syncing: nobody resets\r\n")
    forever()


def panic_before_init(fake: Fake) -> None:
    fake.console("Linux version 5.10.0\r\n[    0.2] Kernel panic - not syncing: VFS is not amused\r\n")
    fake.leave()


def init_dies(fake: Fake) -> None:
    fake.console(BANNER + "[    0.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\r\n")
    fake.leave()


def init_gives_up(fake: Fake) -> None:
    fake.console(BANNER + "rig-init: cannot go on: /rig/job: no such file\r\n")
    fake.leave()


def silent(_fake: Fake) -> None:
    forever()


def stops_before_init(fake: Fake) -> None:
    fake.console("Linux version 5.10.0\r\n[    0.1] last words")
    forever()


def init_says_nothing(fake: Fake) -> None:
    fake.console(BANNER)
    forever()


def hangs(fake: Fake) -> None:
    fake.hello()
    fake.start()
    forever()


def test_hangs(fake: Fake) -> None:
    fake.hello()
    fake.start()
    while True:
        fake.beat()
        time.sleep(0.05)


def talks_for_ever(fake: Fake) -> None:
    fake.hello(steps=2)
    while True:
        fake.beat()
        time.sleep(0.05)


def slow_heartbeat(fake: Fake) -> None:
    fake.hello()
    fake.start()
    for _ in range(3):
        fake.beat()
        time.sleep(0.6)
    fake.exit()
    fake.end()
    fake.leave()


def dies(fake: Fake) -> None:
    fake.hello()
    fake.start()
    sys.stderr.write("qemu: device exploded\n")
    sys.stderr.flush()
    os._exit(1)


def killed(fake: Fake) -> None:
    fake.hello()
    os.kill(os.getpid(), signal.SIGKILL)


def bad_arguments(_fake: Fake) -> None:
    sys.stderr.write("qemu: -M: no such machine\n")
    sys.stderr.flush()
    os._exit(1)


def corrupt(fake: Fake) -> None:
    fake.hello()
    fake.raw(b"\x05\x00\x00\x00garbage that is no record at all")
    forever()


def cut_off(fake: Fake) -> None:
    fake.hello()
    fake.whole_step()
    fake.raw(struct.pack("<IIB", 7, 0, 7) + b"non")
    fake.leave()


def wrong_nonce(fake: Fake) -> None:
    fake.hello(nonce="another")
    forever()


def wrong_end_nonce(fake: Fake) -> None:
    fake.hello()
    fake.whole_step()
    fake.end("another")
    forever()


def end_without_steps(fake: Fake) -> None:
    fake.hello()
    fake.end()
    forever()


def other_version(fake: Fake) -> None:
    fake.hello(version=9)
    forever()


def internal_error(fake: Fake) -> None:
    fake.hello()
    fake.status = "internal-error"
    fake.event("STOP")
    forever()


def user_stop(fake: Fake) -> None:
    fake.hello()
    fake.event("STOP")
    fake.event("RESUME")
    fake.whole_step()
    fake.end()
    fake.leave()


def nothing_on_the_console(fake: Fake) -> None:
    fake.record(1, struct.pack("<HI", 1, 1) + NONCE.encode())
    fake.whole_step()
    fake.end()
    fake.leave()


def tainted(fake: Fake) -> None:
    """An oops of which the log says nothing."""
    fake.hello()
    fake.whole_step()
    fake.record(9, struct.pack("<Q", 1 << 7 | 1 << 12))
    fake.end()
    fake.leave()


def warns_and_is_tainted(fake: Fake) -> None:
    fake.hello()
    fake.start()
    fake.console("WARNING: kernel/seccomp.c:123 at seccomp_attach+0x10/0x20, CPU#0: prog/31\r\n")
    time.sleep(0.2)
    fake.exit()
    fake.record(9, struct.pack("<Q", 1 << 9))
    fake.end()
    fake.leave()


def loses_messages(fake: Fake) -> None:
    fake.hello()
    fake.start()
    fake.console("** 17 printk messages dropped **\r\n")
    time.sleep(0.2)
    fake.exit()
    fake.end()
    fake.leave()


def warns(fake: Fake) -> None:
    fake.hello()
    fake.start()
    time.sleep(0.5)
    fake.console(
        "[    1.000000] ------------[ cut here ]------------\r\n"
        "[    1.000000] WARNING: CPU: 0 PID: 31 at kernel/seccomp.c:123 seccomp_attach+0x10/0x20\r\n"
        "[    1.000000] ---[ end trace 0123456789abcdef ]---\r\n"
    )
    time.sleep(0.2)
    fake.exit()
    fake.end()
    fake.leave()


def floods(fake: Fake) -> None:
    fake.hello()
    fake.start()
    for number in range(2000):
        fake.console(f"[    1.0] line {number} of many, as a kernel with much to say would print it\r\n")
        fake.output(f"output {number}\n")
    fake.exit()
    fake.end()
    fake.leave()


def ignores_signals(fake: Fake) -> None:
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    fake.hello()
    fake.console(f"pid {os.getpid()}\r\n")
    while True:
        fake.beat()
        time.sleep(0.05)


def forever() -> NoReturn:
    while True:
        time.sleep(60)


def main() -> None:
    if "--version" in sys.argv:
        print("QEMU emulator version 7.2.99 (Fake 1:7.2)")
        return
    if "-incoming" in sys.argv:
        file = "/proc/self/fd/" + sys.argv[sys.argv.index("-incoming") + 1].removeprefix("fd:")
    else:
        file = sys.argv[sys.argv.index("-initrd") + 1]
    Path(file).read_bytes()  # like QEMU: no initrd, no guest
    fake = Fake(sys.argv)
    scene = globals()[fake.scene.partition("@")[0]]
    if scene not in (bad_arguments, reset_at_once):
        fake.ready.wait(5)
    scene(fake)


if __name__ == "__main__":
    main()
