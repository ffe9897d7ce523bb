# SPDX-License-Identifier: GPL-2.0-or-later
"""The decoder: against a second encoder here, and against damage. test_steps.py holds it against init's encoder."""

import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initramfs.records import (
    NO_STEP,
    PAYLOAD_LIMIT,
    Decoder,
    EndMark,
    FileRecord,
    Heartbeat,
    Hello,
    Note,
    Output,
    Record,
    StepEnd,
    StepExit,
    StepStart,
    Taint,
)

NUMBER = {StepEnd.EXITED: 1, StepEnd.SIGNALLED: 2, StepEnd.TIMEOUT: 3, StepEnd.NOT_STARTED: 4}


def encoded(record: Record) -> bytes:
    """The format, written a second time."""
    match record:
        case Hello(version, nonce, steps):
            kind, payload = 1, struct.pack("<HI", version, steps) + nonce.encode()
        case StepStart(step):
            kind, payload = 2, struct.pack("<I", step)
        case Output(step, stream, data):
            kind, payload = 3, struct.pack("<IB", step, stream) + data
        case StepExit(step, how, value, nanoseconds):
            kind, payload = 4, struct.pack("<IBiQ", step, NUMBER[how], value, nanoseconds)
        case Heartbeat(nanoseconds):
            kind, payload = 5, struct.pack("<Q", nanoseconds)
        case FileRecord(step, name, data):
            kind, payload = 6, struct.pack("<IH", step, len(name.encode())) + name.encode() + data
        case EndMark(nonce):
            kind, payload = 7, nonce.encode()
        case Note(step_or_none, text):
            number = NO_STEP if step_or_none is None else step_or_none
            kind, payload = 8, struct.pack("<I", number) + text.encode()
        case Taint(word):
            kind, payload = 9, struct.pack("<Q", word)
    return raw(kind, payload)


def raw(kind: int, payload: bytes) -> bytes:
    body = bytes([kind]) + payload
    return struct.pack("<II", len(payload), zlib.crc32(body)) + body


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
u32 = st.integers(0, NO_STEP - 1)
u64 = st.integers(0, 2**64 - 1)
ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(Hello, st.integers(0, 65535), ascii_text, u32),
    st.builds(StepStart, u32),
    st.builds(Output, u32, st.sampled_from([1, 2]), st.binary(max_size=200)),
    st.builds(StepExit, u32, st.sampled_from(StepEnd), st.integers(-(2**31), 2**31 - 1), u64),
    st.builds(Heartbeat, u64),
    st.builds(FileRecord, u32, st.text(max_size=20), st.binary(max_size=200)),
    st.builds(EndMark, ascii_text),
    st.builds(Taint, u64),
    st.builds(Note, st.none() | u32, st.text(max_size=50)),
)


@patient
@given(st.lists(records, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=50))
def test_any_stream_decodes_whatever_the_pieces(wanted: list[Record], sizes: list[int]) -> None:
    stream = b"".join(encoded(record) for record in wanted)
    decoder, found, position = Decoder(), [], 0
    while position < len(stream):
        size = sizes[position % len(sizes)]
        found += decoder.feed(stream[position : position + size])
        position += size
    assert found == wanted
    assert (decoder.corrupt, decoder.pending) == ("", 0)


@patient
@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_one_flipped_bit_is_never_a_record(wanted: list[Record], data: st.DataObject) -> None:
    stream = bytearray(b"".join(encoded(record) for record in wanted))
    position = data.draw(st.integers(0, len(stream) - 1))
    stream[position] ^= 1 << data.draw(st.integers(0, 7))
    decoder = Decoder()
    found = decoder.feed(bytes(stream))
    assert found == wanted[: len(found)]
    assert len(found) < len(wanted)
    assert decoder.corrupt or decoder.pending  # a longer length may only wait for more
    if decoder.corrupt:
        assert decoder.feed(encoded(StepStart(1))) == [] and decoder.pending == 0


@patient
@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_a_cut_shows_as_pending(wanted: list[Record], data: st.DataObject) -> None:
    stream = b"".join(encoded(record) for record in wanted)
    cut = data.draw(st.integers(0, len(stream) - 1))
    decoder = Decoder()
    found = decoder.feed(stream[:cut])
    assert found == wanted[: len(found)] and decoder.corrupt == ""
    assert decoder.pending == cut - len(b"".join(encoded(record) for record in found))


@patient
@given(st.binary(min_size=9, max_size=300))
def test_noise_never_raises(noise: bytes) -> None:
    Decoder().feed(noise)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (raw(99, b""), "byte 0: no record has type 99"),
        (raw(0, b""), "no record has type 0"),
        (raw(2, b"\0\0\0"), "payload of a record of type 2 is malformed"),
        (raw(2, b"\0\0\0\0\0"), "payload of a record of type 2 is malformed"),
        (raw(3, b"\0\0\0\0\3x"), "type 3 is malformed"),
        (raw(4, struct.pack("<IBiQ", 0, 9, 0, 0)), "type 4 is malformed"),
        (raw(6, struct.pack("<IH", 0, 5) + b"ab"), "type 6 is malformed"),
        (raw(7, b"\xff"), "type 7 is malformed"),
        (encoded(StepStart(1)) + raw(99, b""), "byte 13: no record"),
        (encoded(StepStart(1))[:-1] + b"\1", "checksum of a record of type 2"),
        (struct.pack("<IIB", PAYLOAD_LIMIT + 1, 0, 3), f"a record announces {PAYLOAD_LIMIT + 1} bytes"),
        (b"Kernel panic - not syncing", "announces 1852990795 bytes"),
    ],
)
def test_damage_is_named_with_its_place(stream: bytes, words: str) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert words in decoder.corrupt


def test_the_longest_record_is_taken() -> None:
    record = Output(0, 1, b"x" * (PAYLOAD_LIMIT - 5))
    assert Decoder().feed(encoded(record)) == [record]
