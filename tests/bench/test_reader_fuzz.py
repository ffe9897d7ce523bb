# SPDX-License-Identifier: GPL-2.0-or-later
"""The campaign over the readers: that it finds what is wrong, and that a few inputs of each find nothing."""

import time
from pathlib import Path

import pytest

from bench.robustness import fuzz as campaign
from bench.robustness.fuzz import BATCH, BadInput, ReaderTally, counts, input_of
from bench.robustness.readers import READERS, Reader
from util.errors import UserError

SEEDS = [b"ok 1 a\nnot ok 2 b\n"]


def _raises(_data: bytes) -> object:
    return dict[str, str]()["nothing"]


def _speaks(_data: bytes) -> object:
    raise UserError("a\x1b[2J")


def _refuses(_data: bytes) -> object:
    raise UserError("no")


def _is_slow(_data: bytes) -> object:
    end = time.process_time() + 1.3
    while time.process_time() < end:
        pass
    return None


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (_raises, "KeyError at tests/bench/test_reader_fuzz.py"),
        (_speaks, "a message that is no plain line"),
        pytest.param(_is_slow, "slower than a second per megabyte", marks=pytest.mark.slow),
        (_refuses, ""),
        (len, ""),
    ],
)
def test_what_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch, read: object, what: str) -> None:
    monkeypatch.setitem(READERS, "own", Reader(read, lambda: SEEDS))  # type: ignore[arg-type]
    found = campaign._batch("own", 1, range(1), time.monotonic() + 60)
    assert found.inputs == 1
    assert [finding.what.startswith(what) for finding in found.findings] == ([True] if what else [])
    assert found.refused == (read in (_refuses, _speaks))


def test_an_input_is_made_again_from_its_number() -> None:
    assert input_of("ktap", 1, 5) == input_of("ktap", 1, 5)
    assert len({input_of("ktap", seed, number) for seed in (1, 2) for number in range(20)}) > 30


def test_the_smallest_input_of_a_fault_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = [BadInput("ktap", number, "KeyError at x.py:1") for number in range(20)]
    line = list(counts({"ktap": ReaderTally(inputs=20, findings=found)}, 1))[-1]
    assert "20 x KeyError at x.py:1" in line
    kept = line.rpartition(": ")[2]
    assert Path(kept).stat().st_size == min(len(input_of("ktap", 1, number)) for number in range(20))


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("reader", READERS)
def test_a_few_inputs_of_each_reader_find_nothing(reader: str) -> None:
    found = campaign._batch(reader, 1, range(BATCH), time.monotonic() + 60)
    assert found.inputs > 0
    assert found.findings == []
