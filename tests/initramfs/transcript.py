# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream of records, sorted for the tests."""

from dataclasses import dataclass

from initramfs.records import Decoder, EndMark, FileRecord, Heartbeat, Hello, Note, Output, Record, StepExit, StepStart


@dataclass(frozen=True, slots=True)
class Done:
    """One step as the records tell it."""

    exit: StepExit
    stdout: bytes
    stderr: bytes
    notes: str
    files: dict[str, bytes]


class Transcript:
    """The whole stream of a run that is expected to be sound. The order of the records is checked on the way."""

    def __init__(self, stream: bytes) -> None:
        decoder = Decoder()
        everything = decoder.feed(stream)
        assert decoder.corrupt == ""
        ends = [number for number, record in enumerate(everything) if isinstance(record, EndMark)]
        assert len(ends) == 1 and all(isinstance(record, Heartbeat) for record in everything[ends[0] + 1 :])
        self.records = everything[: ends[0] + 1]  # behind it comes what presses it out, of which some may be lost
        first, last = self.records[0], self.records[-1]
        assert isinstance(first, Hello) and isinstance(last, EndMark) and first.nonce == last.nonce
        self.nonce = first.nonce
        self.beats = [record.nanoseconds for record in self.records if isinstance(record, Heartbeat)]
        self.steps = [self._step(number) for number in range(first.steps)]
        self.notes = "\n".join(
            record.text for record in self.records if isinstance(record, Note) and record.step is None
        )

    def _step(self, number: int) -> Done:
        mine: list[Record] = [record for record in self.records if getattr(record, "step", None) == number]
        first, last = mine[0], mine[-1]
        assert isinstance(first, StepStart) and isinstance(last, StepExit)
        files: dict[str, bytes] = {}
        for record in mine:
            if isinstance(record, FileRecord):
                files[record.name] = files.get(record.name, b"") + record.data
        stream = {
            number: b"".join(record.data for record in mine if isinstance(record, Output) and record.stream == number)
            for number in (1, 2)
        }
        notes = "\n".join(record.text for record in mine if isinstance(record, Note))
        return Done(last, stream[1], stream[2], notes, files)
