# SPDX-License-Identifier: GPL-2.0-or-later
"""The cell cache: what comes back is what went in, or nothing."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.cells.cell_store import CellStore
from ci.model.stages import CellResult
from configs.result import Status
from tests.ci.samples import not_run, ran
from util.events import Event
from util.files.atomic import TEMPORARY

KEY = "0123456789abcdef"
RESULT = ran("patched", {"a": Status.PASS, "b": Status.FAIL})


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path / "cells")


@pytest.fixture
def console(tmp_path: Path) -> Path:
    path = tmp_path / "console.log"
    path.write_bytes(b"Linux version\r\n\xff\n")
    return path


def entry(store: CellStore, suffix: str = ".json") -> Path:
    return store.root / KEY[:2] / f"{KEY}{suffix}"


def test_there_and_back(store: CellStore, console: Path) -> None:
    assert store.get(KEY) is None
    assert store.put(KEY, RESULT, console)
    found = store.get(KEY)
    assert found is not None and found.console is not None
    assert found.result == RESULT.model_copy(update={"cached": True})
    assert found.console.read_bytes() == console.read_bytes()


@pytest.mark.parametrize("suffix", [".json", ".log"])
def test_a_damaged_entry_is_thrown_away_with_a_word(store: CellStore, console: Path, suffix: str) -> None:
    store.put(KEY, RESULT, console)
    content = bytearray(entry(store, suffix).read_bytes())
    content[len(content) // 2] ^= 1
    entry(store, suffix).write_bytes(content)
    events: list[Event] = []
    assert store.get(KEY, events.append) is None
    (event,) = events
    assert "is damaged: its digest does not agree" in event.text
    assert store.get(KEY, events.append) is None and len(events) == 1


def test_without_console(store: CellStore) -> None:
    store.put(KEY, RESULT)
    found = store.get(KEY)
    assert found is not None and found.console is None


@pytest.mark.parametrize(
    "result",
    [
        ran("patched", {"a": Status.MISS}),
        ran("patched", {"a": Status.PASS}, end="qemu-died"),
        not_run("patched", "no kernel"),
    ],
)
def test_a_missing_answer_is_asked_for_again(store: CellStore, result: CellResult) -> None:
    assert not store.put(KEY, result)
    assert store.get(KEY) is None


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_entry_is_absent(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    store = CellStore(tmp_path_factory.mktemp("cells"))
    store.put(KEY, RESULT)
    path = entry(store)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans(), "cut off"):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    found = store.get(KEY)
    assert found is None or found.result == RESULT.model_copy(update={"cached": True})


def test_an_entry_that_lost_its_console_is_absent(store: CellStore, console: Path) -> None:
    store.put(KEY, RESULT, console)
    entry(store, ".log").unlink()
    assert store.get(KEY) is None


def test_keys_cannot_leave_the_folder(store: CellStore) -> None:
    for key in ("../../etc/passwd", "", "ABCDEF0123456789", "0123/456789abcdef"):
        with pytest.raises(ValueError, match="not a content key"):
            store.get(key)


def test_usage_and_cleaning(store: CellStore, console: Path) -> None:
    assert (store.usage().entries, store.usage().size) == (0, 0)
    store.put(KEY, RESULT, console)
    store.put(KEY[::-1], RESULT, console)
    old, now = entry(store), entry(store).stat().st_mtime
    for path in (old, entry(store, ".log")):
        os.utime(path, (now - 5000, now - 5000))
    (old.parent / f"{TEMPORARY}dead").write_bytes(b"x" * 10)
    os.utime(old.parent / f"{TEMPORARY}dead", (now - 4000, now - 4000))
    usage = store.usage(now)
    assert (usage.entries, usage.oldest) == (2, 5000)
    assert store.remove_older(10_000, now) == 10
    assert store.remove_older(4500, now) > len(console.read_bytes())
    assert store.usage(now).entries == 1
    assert store.get(KEY) is None


def test_use_keeps_an_entry_young(store: CellStore) -> None:
    store.put(KEY, RESULT)
    os.utime(entry(store), (0, 0))
    store.get(KEY)
    assert store.usage().oldest < 60
