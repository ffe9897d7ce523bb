# SPDX-License-Identifier: GPL-2.0-or-later
"""One pool of job tokens for a whole run: compilers and guests share the machine's cores.

GNU make takes part through its jobserver protocol (its manual, "POSIX Jobserver Interaction"): before a make starts a
second job it reads one byte from one descriptor, and writes it back to another when the job ends. Each make gets two
pipes of its own here, and a broker thread moves the tokens between them and the pool. That costs a wake-up for each
object, and buys three things that one shared pipe cannot give: a make that is killed, or that comes from a hostile
Makefile, can neither lose nor invent tokens; a guest that waits gets the next free token instead of racing with
make; and tokens that a make leaves idle (a link step) go to whoever can use them.
"""

import contextlib
import fcntl
import os
import selectors
import struct
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from util.stop import Stop

_TOKEN = b"+"
_TICK = 0.05  # seconds; how long an offered token may lie idle while another make could want it
_POLL = 0.1  # seconds between two looks at `stop`


@dataclass(slots=True, eq=False)
class MakeTokens:
    """What one make needs to take part: descriptors to inherit, and the value of MAKEFLAGS."""

    read_fd: int
    write_fd: int
    makeflags: str
    offer_fd: int
    return_fd: int
    reclaim_fd: int
    out: int = 0
    """Tokens that were offered and have not come back."""

    @property
    def fds(self) -> tuple[int, int]:
        return self.read_fd, self.write_fd

    def idle(self) -> int:
        """Offered tokens that the make has not taken."""
        raw = fcntl.ioctl(self.reclaim_fd, termios.FIONREAD, b"\0\0\0\0")
        return min(int(struct.unpack("i", raw)[0]), self.out)  # a build that fills its own pipe gains nothing

    def offer(self) -> bool:
        """Puts one token on offer; False where the pipe is full, which only the make itself can bring about."""
        try:
            os.write(self.offer_fd, _TOKEN)
        except BlockingIOError:
            return False
        self.out += 1
        return True

    def reclaim(self) -> bool:
        """Takes one idle token back; False where there is none, or the make was quicker."""
        if not self.idle() or not _read(self.reclaim_fd, 1):
            return False
        self.out -= 1
        return True

    def close(self) -> None:
        for fd in (*self.fds, self.offer_fd, self.return_fd, self.reclaim_fd):
            os.close(fd)


@dataclass(slots=True, eq=False)
class _Waiter:
    granted: threading.Event = field(default_factory=threading.Event)


class Jobserver:
    """`jobs` tokens. `with token(stop)` holds one (a guest, a make's implicit job); `with make()` joins a make."""

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise ValueError("a run needs at least one job")
        self.jobs = jobs
        self._lock = threading.Lock()
        self._free = jobs
        self._waiters: list[_Waiter] = []
        self._makes: list[MakeTokens] = []
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._closed = False
        self._thread = threading.Thread(target=self._broker, name="jobserver", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Jobserver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the broker. Nobody may hold a token any more."""
        self._closed = True
        self._wake()
        self._thread.join()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def free(self) -> int:
        """Tokens that are not in use: in the pool, or offered to a make that has not taken them."""
        with self._lock:
            return self._free + sum(make.idle() for make in self._makes)

    @contextlib.contextmanager
    def token(self, stop: Stop) -> Iterator[None]:
        """Holds one token. Waits for it in turn, and before any further job of a make; raises Stopped when `stop` is
        set meanwhile."""
        waiter = _Waiter()
        with self._lock:
            self._waiters.append(waiter)
            self._settle()
        try:
            while not waiter.granted.wait(_POLL):
                stop.check()
            yield
        finally:
            with self._lock:
                if waiter.granted.is_set():
                    self._free += 1
                else:
                    self._waiters.remove(waiter)
                self._settle()

    @contextlib.contextmanager
    def make(self) -> Iterator[MakeTokens]:
        """Joins one make, which must hold a `token()` for its implicit job. What it still has comes back at the end."""
        client = _open_client(self.jobs)
        with self._lock:
            self._makes.append(client)
            self._selector.register(client.return_fd, selectors.EVENT_READ, client)
            self._settle()
        self._wake()  # the broker must begin to watch the new pipe
        try:
            yield client
        finally:
            with self._lock:
                self._makes.remove(client)
                self._selector.unregister(client.return_fd)
                self._free += client.out
                client.out = 0
                self._settle()
            client.close()

    # the broker; every method below is called with the lock held -------------------------------------------------

    def _broker(self) -> None:
        while not self._closed:
            with self._lock:
                timeout = _TICK if self._contended() else None
            ready = self._selector.select(timeout)
            with self._lock:
                for key, _ in ready:
                    if key.data is None:
                        _read(self._wake_read)
                    elif key.data in self._makes:
                        self._take_back(key.data)
                if not ready:
                    self._rotate()
                self._settle()

    def _contended(self) -> bool:
        """Whether a free token, or one that lies idle with one make, might soon be wanted by another."""
        return len(self._makes) > 1 and (self._free > 0 or any(make.idle() for make in self._makes))

    def _take_back(self, make: MakeTokens) -> None:
        returned = min(len(_read(make.return_fd)), make.out - make.idle())
        make.out -= returned
        self._free += returned

    def _settle(self) -> None:
        """Hands out what is free: first to waiters, then to the makes that have none on offer, one each.

        A make alone gets everything at once; among several, the next round is a tick later, when it shows who took.
        """
        while self._waiters:
            if not self._free and not self._reclaim_one():
                break
            self._free -= 1
            self._waiters.pop(0).granted.set()
        hungry = sorted((make for make in self._makes if not make.idle()), key=lambda make: make.out)
        for make in self._makes * self._free if len(self._makes) == 1 else hungry:
            if self._free and make.offer():
                self._free -= 1

    def _reclaim_one(self) -> bool:
        if not any(make.reclaim() for make in self._makes):
            return False
        self._free += 1
        return True

    def _rotate(self) -> None:
        """Moves one idle token to a make that has none on offer: the protocol has no way to ask a make whether it wants
        one."""
        poor = [make for make in self._makes if not make.idle()]
        if poor and self._reclaim_one() and min(poor, key=lambda make: make.out).offer():
            self._free -= 1

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"!")


def _open_client(jobs: int) -> MakeTokens:
    # GNU make 4.3 waits with pselect() and wants its end non-blocking. That flag belongs to the open file and so is
    # shared with whoever inherits it: the broker reads through a file of its own, on which nobody can make it block.
    read_fd, offer_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    return_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(write_fd, True)
    reclaim_fd = os.open(f"/proc/self/fd/{read_fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    makeflags = f" -j{jobs} --jobserver-auth={read_fd},{write_fd}"
    return MakeTokens(read_fd, write_fd, makeflags, offer_fd, return_fd, reclaim_fd)


def _read(fd: int, size: int = 65536) -> bytes:
    try:
        return os.read(fd, size)
    except BlockingIOError:
        return b""
