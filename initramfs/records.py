# SPDX-License-Identifier: GPL-2.0-or-later
"""The records that a guest sends on the result channel; `init/records.c` writes them.

    <u32 length of payload> <u32 CRC-32 of type byte and payload> <u8 type> <payload>

Little-endian, the CRC is zlib's. Numbers and strings of each payload stand beside its class. A stream that breaks the
format is a finding about the guest (decision 2 of the design), so the decoder keeps it as a value and does not raise.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

VERSION = 1
PAYLOAD_LIMIT = 1 << 20
"""Bytes. Init sends at most a sixteenth of it; a longer length means that the stream is corrupt."""
NO_STEP = 0xFFFFFFFF
_HEADER = struct.Struct("<IIB")


class StepEnd(StrEnum):
    """How a step ended. `value` of EXIT: the exit status; the signal; for a timeout the number of processes that could
    not be killed (0 is the usual one); the errno for a step that did not start."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    NOT_STARTED = "not-started"


_HOW = {1: StepEnd.EXITED, 2: StepEnd.SIGNALLED, 3: StepEnd.TIMEOUT, 4: StepEnd.NOT_STARTED}


@dataclass(frozen=True, slots=True)
class Hello:
    """Type 1: u16 version, u32 number of steps, nonce. The first record."""

    version: int
    nonce: str
    steps: int


@dataclass(frozen=True, slots=True)
class StepStart:
    """Type 2: u32 step, counted from 0. Sent, and on its way, before the step's process exists."""

    step: int


@dataclass(frozen=True, slots=True)
class Output:
    """Type 3: u32 step, u8 stream (1 stdout, 2 stderr), the bytes as they were read from the pipe."""

    step: int
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StepExit:
    """Type 4: u32 step, u8 how, i32 value, u64 nanoseconds from start to end of the step's own process."""

    step: int
    how: StepEnd
    value: int
    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Type 5: u64 nanoseconds of the guest's monotonic clock."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Type 6: u32 step, u16 length of name, name, bytes. A long file comes in several records of one name, in order."""

    step: int
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class EndMark:
    """Type 7: the nonce. The last record; only a run that ends with it is complete."""

    nonce: str


@dataclass(frozen=True, slots=True)
class Note:
    """Type 8: u32 step (NO_STEP outside of one), text of init's own: output cut short, what a hung process waits for,
    a sysctl that could not be written. `step` is None outside of a step."""

    step: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Taint:
    """Type 9: u64, what /proc/sys/kernel/tainted held after the last step (admin-guide/tainted-kernels.rst).
    A kernel without CONFIG_PROC_SYSCTL has no such file, and the record does not come."""

    word: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Type 10, empty: init is up and waits for the host, for the files of a job and then for the time of day. Only in a
    guest that is saved, and in its copies."""


Record = Hello | StepStart | Output | StepExit | Heartbeat | FileRecord | EndMark | Note | Taint | Waiting


class Decoder:
    """Takes the stream in pieces of any size.

    `corrupt` is empty while the stream is sound, else one line that says what broke and where; everything after that
    point is dropped, because without a sound length there is no next record. `pending` is the number of bytes of a
    record that has not arrived whole: not 0 when the guest is gone means that it was cut off in mid-record.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0
        self.corrupt = ""

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Record]:
        """The records that `data` completes, in order."""
        if self.corrupt:
            return []
        self._buffer += data
        found: list[Record] = []
        start = 0
        while not self.corrupt and len(self._buffer) - start >= _HEADER.size:
            length, checksum, kind = _HEADER.unpack_from(self._buffer, start)
            end = start + _HEADER.size + length
            if length > PAYLOAD_LIMIT:
                self._break(start, f"a record announces {length} bytes")
            elif end > len(self._buffer):
                break
            else:
                body = bytes(self._buffer[start + _HEADER.size - 1 : end])
                found += self._record(start, kind, checksum, body)
                start = end
        self._offset += start
        del self._buffer[:start]
        if self.corrupt:
            self._buffer.clear()
        return found

    def _record(self, start: int, kind: int, checksum: int, body: bytes) -> list[Record]:
        """The one record of `body` (type byte and payload), or nothing and `corrupt` set."""
        if zlib.crc32(body) != checksum:
            self._break(start, f"checksum of a record of type {kind} does not match")
        elif kind not in _READERS:
            self._break(start, f"no record has type {kind}")
        else:
            try:
                return [_READERS[kind](body[1:])]
            except (struct.error, UnicodeDecodeError, KeyError, ValueError):
                self._break(start, f"payload of a record of type {kind} is malformed")
        return []

    def _break(self, start: int, what: str) -> None:
        self.corrupt = f"result channel corrupt at byte {self._offset + start}: {what}"


def _hello(payload: bytes) -> Hello:
    version, steps = struct.unpack_from("<HI", payload)
    return Hello(version, payload[6:].decode("ascii"), steps)


def _start(payload: bytes) -> StepStart:
    return StepStart(*struct.unpack("<I", payload))


def _output(payload: bytes) -> Output:
    step, stream = struct.unpack_from("<IB", payload)
    if stream not in (1, 2):
        raise ValueError(stream)
    return Output(step, stream, payload[5:])


def _exit(payload: bytes) -> StepExit:
    step, how, value, nanoseconds = struct.unpack("<IBiQ", payload)
    return StepExit(step, _HOW[how], value, nanoseconds)


def _heartbeat(payload: bytes) -> Heartbeat:
    return Heartbeat(*struct.unpack("<Q", payload))


def _file(payload: bytes) -> FileRecord:
    step, length = struct.unpack_from("<IH", payload)
    name = payload[6 : 6 + length]
    if len(name) != length:
        raise ValueError(length)
    return FileRecord(step, name.decode("utf-8", "replace"), payload[6 + length :])


def _end(payload: bytes) -> EndMark:
    return EndMark(payload.decode("ascii"))


def _note(payload: bytes) -> Note:
    (step,) = struct.unpack_from("<I", payload)
    return Note(None if step == NO_STEP else step, payload[4:].decode("utf-8", "replace"))


def _taint(payload: bytes) -> Taint:
    return Taint(*struct.unpack("<Q", payload))


def _waiting(payload: bytes) -> Waiting:
    if payload:
        raise ValueError(payload)
    return Waiting()


_READERS: dict[int, Callable[[bytes], Record]] = {
    1: _hello,
    2: _start,
    3: _output,
    4: _exit,
    5: _heartbeat,
    6: _file,
    7: _end,
    8: _note,
    9: _taint,
    10: _waiting,
}
