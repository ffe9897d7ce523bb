# SPDX-License-Identifier: GPL-2.0-or-later
"""The state machine alone, without a process: order of records, deadlines, last words."""

import struct
import zlib

import pytest

from guests.crash.outcome import End
from guests.run.guest_state import Deadlines, Watch, deadlines
from initramfs.job import GuestJob, Mode, Step

LIMITS = Deadlines(first_byte=5, boot=20, lifeless=30, grace=10, farewell=5, total=1000)
JOB = GuestJob(nonce="n", steps=(Step("one", ("/1",), timeout=50), Step("two", ("/2",), timeout=50)), time_scale=2.0)


def record(kind: int, payload: bytes) -> bytes:
    body = bytes((kind,)) + payload
    return struct.pack("<II", len(payload), zlib.crc32(body)) + body


HELLO = record(1, struct.pack("<HI", 1, 2) + b"n")
END = record(7, b"n")
BEAT = record(5, struct.pack("<Q", 1))


def start(step: int) -> bytes:
    return record(2, struct.pack("<I", step))


def ended(step: int, how: int = 1, value: int = 0) -> bytes:
    return record(4, struct.pack("<IBiQ", step, how, value, 1500000000))


def ready(job: GuestJob = JOB) -> Watch:
    watch = Watch(job, LIMITS)
    watch.console(b"Linux version 1\n", 1.0)
    watch.results(HELLO, 2.0)
    return watch


WHOLE = start(0) + ended(0) + start(1) + ended(1, 2, 9) + END


def test_how_long_a_step_took_is_told_on_both_clocks() -> None:
    """The guest's own counts what other work has the host's processors for, the fair one does not."""
    watch = ready()
    watch.results(start(0), 3.0)
    watch.results(ended(0) + start(1), 3.25)
    watch.results(BEAT, 9.0)
    one, two = watch.outcomes()
    assert (one.seconds, one.fair_seconds, one.ended) == (1.5, 0.25, True)
    assert (two.fair_seconds, two.ended) == (0.0, False)


def test_a_step_may_take_as_many_times_longer_as_asked() -> None:
    for slow, hung in ((4.0, True), (8.0, False)):
        watch = Watch(JOB, LIMITS, usual=lambda _name: 4.0, patience=4.0, slow=slow)
        watch.results(HELLO, 2.0)
        watch.results(start(0), 3.0)
        watch.tick(3.0 + 21.0)
        assert (watch.verdict is not None) == hung


@pytest.mark.parametrize("size", [1, 2, 7, 64, 4096])
def test_a_whole_run_in_pieces_of_any_size(size: int) -> None:
    watch = ready()
    for at in range(0, len(WHOLE), size):
        watch.results(WHOLE[at : at + size], 3.0)
    watch.event("SHUTDOWN", {"reason": "guest-reset"}, 3.0)
    assert watch.closed(0, "") == (End.FINISHED, "finished")
    one, two = watch.outcomes()
    assert (one.how, one.value, one.seconds) == ("exited", 0, 1.5)
    assert (two.how, two.value) == ("signalled", 9)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (start(0), "Start record before HELLO"),
        (END, "EndMark record before HELLO"),
        (HELLO + HELLO, "second HELLO"),
        (HELLO + start(2), "step 2 of 2"),
        (HELLO + start(0) + ended(0) + start(0), "started twice"),
        (HELLO + start(0) + ended(0) + END, "step `two` was not reported"),
        (HELLO + WHOLE + BEAT + start(0), "a StepStart record after the end marker"),
        (HELLO + WHOLE[:-1] + b"m", "corrupt"),
        (record(1, struct.pack("<HI", 1, 3) + b"n"), "read 3 steps"),
    ],
)
def test_a_stream_that_is_not_a_run(stream: bytes, words: str) -> None:
    watch = Watch(JOB, LIMITS)
    watch.console(b"Linux version 1\n", 1.0)
    watch.results(stream, 2.0)
    watch.event("SHUTDOWN", {"reason": "guest-reset"}, 3.0)
    end, message = watch.closed(0, "")
    assert end is End.CORRUPT
    assert words in message


def test_a_panic_explains_a_broken_stream() -> None:
    watch = ready()
    watch.results(b"\xff" * 40, 3.0)
    watch.console(b"Kernel panic - not syncing: Fatal exception\r\n", 3.1)
    assert watch.closed(0, "")[0] is End.PANIC


def test_a_panic_after_the_end_marker_is_still_a_panic() -> None:
    watch = ready()
    watch.results(WHOLE, 3.0)
    watch.console(b"Kernel panic - not syncing: on the way down\r\n", 3.1)
    assert watch.closed(0, "")[0] is End.PANIC


def test_a_panic_line_without_its_end_counts() -> None:
    watch = ready()
    watch.console(b"Kernel panic - not syncing: half a li", 3.0)
    assert watch.closed(-9, "") == (End.PANIC, "Kernel panic - not syncing: half a li")


def test_a_heartbeat_keeps_a_slow_step_alive_until_its_own_deadline() -> None:
    watch = ready()
    watch.results(start(0), 10.0)
    now = 10.0
    while now < 10.0 + 2 * 50 + 10:  # timeout x scale + grace
        watch.tick(now)
        assert watch.verdict is None, now
        now += 5.0
        watch.results(BEAT, now)
    watch.tick(now + 1)
    assert watch.verdict is not None
    assert watch.verdict[0] is End.TEST_HUNG


def test_silence_is_a_hang_and_so_is_silence_at_a_steps_deadline() -> None:
    watch = ready()
    watch.tick(31.0)
    assert watch.verdict is None
    watch.tick(33.0)
    assert watch.verdict is not None
    assert watch.verdict[0] is End.HUNG

    short = GuestJob(nonce="n", steps=(Step("one", ("/1",), timeout=1), Step("two", ("/2",))))
    watch = ready(short)
    watch.results(start(0), 3.0)
    watch.tick(15.0)
    assert watch.verdict is not None
    assert watch.verdict[0] is End.HUNG  # no heartbeat for 12 s: not only the test hangs


def test_the_console_is_a_sign_of_life() -> None:
    watch = ready()
    for now in range(10, 200, 25):
        watch.console(b"still here\n", float(now))
        watch.tick(now + 20.0)
    assert watch.verdict is None


def test_a_shell_has_no_deadline_once_it_is_up() -> None:
    watch = Watch(GuestJob(nonce="n", mode=Mode.SHELL), LIMITS)
    watch.console(b"x", 1.0)
    watch.results(record(1, struct.pack("<HI", 1, 0) + b"n"), 2.0)
    watch.tick(100000.0)
    assert watch.verdict is None


def test_output_files_and_notes_find_their_step() -> None:
    watch = ready()
    watch.results(start(1), 3.0)
    watch.results(record(3, struct.pack("<IB", 1, 1) + b"out"), 3.0)
    watch.results(record(3, struct.pack("<IB", 1, 2) + b"err"), 3.0)
    for part in (b"ab", b"cd"):
        watch.results(record(6, struct.pack("<IH", 1, 2) + b"/f" + part), 3.0)
    watch.results(record(8, struct.pack("<I", 1) + b"note"), 3.0)
    watch.results(record(8, struct.pack("<I", 0xFFFFFFFF) + b"general"), 3.0)
    step = watch.outcomes()[1]
    assert (step.stdout, step.stderr, step.files, step.notes) == (b"out", b"err", (("/f", b"abcd"),), ("note",))
    assert watch.notes == ["general"]


def test_deadlines_follow_the_scale() -> None:
    slow, fast = deadlines(JOB, 60.0), deadlines(GuestJob(nonce="n", steps=JOB.steps), 60.0)
    assert slow.total > fast.total > 60 + 100
    assert slow.grace > fast.grace
    assert slow.lifeless > 21  # longer than the kernel's own detectors of lockups and stalls
    assert deadlines(GuestJob(nonce="n", time_scale=100.0), 60.0).boot == 300.0
    assert deadlines(JOB, 60.0, total=500.0).total == 1000.0


def waiting(usual: float | None) -> Watch:
    """A guest in whose first step nothing happens but heartbeats; it started at 3 s."""
    watch = Watch(JOB, LIMITS, usual=lambda _name: usual)
    watch.console(b"Linux version 1\n", 1.0)
    watch.results(HELLO, 2.0)
    watch.results(start(0), 3.0)
    return watch


@pytest.mark.parametrize(
    ("usual", "idle", "at", "hung"),
    [
        (4.0, 0.0, 3 + 72, False),
        (4.0, 0.0, 3 + 73, True),
        (4.0, 11.0, 3 + 13, False),
        (4.0, 11.0, 3 + 14, True),
        (4.0, 5.0, 3 + 14, False),
        (30.0, 60.0, 3 + 65, False),
        (None, 60.0, 3 + 100, False),
        (None, 0.0, 3 + 111, True),
        (100.0, 0.0, 3 + 111, True),
    ],
)
def test_a_step_is_given_many_times_what_base_took(usual: float | None, idle: float, at: float, hung: bool) -> None:
    """110 s are the most: twice 50, and the grace."""
    watch = waiting(usual)
    watch.results(BEAT, at - 0.5)
    watch.tick(at, idle)
    assert (watch.verdict is not None) == hung
    if watch.verdict:
        end, message = watch.verdict
        assert end is End.TEST_HUNG
        assert message.startswith("step `one` hangs: no end in")
        assert ("and base took 4.0 s for it" in message) == (usual == 4.0)
        assert ("no processor has executed anything for 11 s" in message) == (idle > 0)
