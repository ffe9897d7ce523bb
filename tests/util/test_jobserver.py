# SPDX-License-Identifier: GPL-2.0-or-later
"""The pool of job tokens: with real makes, with makes that are killed, and with one that cheats."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from util.children.jobserver import Jobserver, MakeTokens
from util.stop import Stop, Stopped

MAKEFILE = """\
# Each target notes how many run beside it, at its busiest.
all: $(foreach number,$(shell seq $(N)),job-$(number))
job-%:
	@mkdir running/$@; ls running | wc -l >> counts; sleep $(T); rmdir running/$@
"""


@pytest.fixture
def jobs() -> Iterator[Jobserver]:
    with Jobserver(3) as jobserver:
        yield jobserver
        assert _settles(lambda: jobserver.free() == 3), "a token was lost or invented"


def _settles(condition: Callable[[], bool], seconds: float = 3.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def _start(folder: Path, tokens: MakeTokens, number: int = 9, sleep: float = 0.2) -> "subprocess.Popen[bytes]":
    (folder / "running").mkdir(parents=True)
    (folder / "Makefile").write_text(MAKEFILE)
    return subprocess.Popen(
        ("make", "-s", "-C", str(folder), f"N={number}", f"T={sleep}"),
        env={"PATH": os.environ["PATH"], "MAKEFLAGS": tokens.makeflags},
        pass_fds=tokens.fds,
        start_new_session=True,
    )


def _busiest(folder: Path) -> int:
    return max(int(line) for line in (folder / "counts").read_text().split())


@pytest.mark.slow
def test_a_make_alone_gets_every_core(jobs: Jobserver, tmp_path: Path) -> None:
    with jobs.token(Stop()), jobs.make() as tokens:
        assert _start(tmp_path / "a", tokens).wait() == 0
    assert _busiest(tmp_path / "a") == 3


@pytest.mark.slow
def test_two_makes_share_and_never_exceed(jobs: Jobserver, tmp_path: Path) -> None:
    with jobs.token(Stop()), jobs.make() as one, jobs.token(Stop()), jobs.make() as two:
        first, second = _start(tmp_path / "a", one), _start(tmp_path / "b", two)
        assert (first.wait(), second.wait()) == (0, 0)
    assert _busiest(tmp_path / "a") + _busiest(tmp_path / "b") <= 4  # one of them had 2 for a while, never both
    assert max(_busiest(tmp_path / "a"), _busiest(tmp_path / "b")) == 2


@pytest.mark.slow
def test_the_tokens_of_a_finished_make_go_to_the_other(jobs: Jobserver, tmp_path: Path) -> None:
    with jobs.token(Stop()), jobs.make() as one:
        first = _start(tmp_path / "a", one, number=24)
        with jobs.token(Stop()), jobs.make() as two:
            assert _start(tmp_path / "b", two, number=2).wait() == 0
        assert first.wait() == 0
    assert _busiest(tmp_path / "a") == 3


@pytest.mark.slow
def test_an_idle_make_leaves_its_tokens_to_a_waiter(jobs: Jobserver, tmp_path: Path) -> None:
    """One long job is all that is left of a build, as when it links: the next one starts."""
    with jobs.token(Stop()), jobs.make() as tokens:
        process = _start(tmp_path / "a", tokens, number=1, sleep=3)
        with jobs.token(Stop()), jobs.token(Stop()):
            assert process.poll() is None
        assert process.wait() == 0


@pytest.mark.slow
def test_a_guest_does_not_wait_for_the_end_of_a_build(jobs: Jobserver, tmp_path: Path) -> None:
    with jobs.token(Stop()), jobs.make() as tokens:
        process = _start(tmp_path / "a", tokens, number=30)
        assert _settles(lambda: jobs.free() == 0)
        with jobs.token(Stop()):
            assert process.poll() is None
        assert process.wait() == 0


def test_waiters_are_served_in_turn(jobs: Jobserver) -> None:
    order: list[int] = []
    stop = Stop()

    def wait(number: int) -> None:
        with jobs.token(stop):
            order.append(number)
            time.sleep(0.05)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(4)]
    with jobs.token(stop), jobs.token(stop):
        with jobs.token(stop):
            for number, thread in enumerate(threads):
                thread.start()
                assert _settles(lambda so_far=number: len(jobs._waiters) == so_far + 1)  # type: ignore[misc]
        for thread in threads:
            thread.join()
    assert order == [0, 1, 2, 3]


def test_a_killed_make_loses_nothing(jobs: Jobserver, tmp_path: Path) -> None:
    with jobs.token(Stop()), jobs.make() as tokens:
        process = _start(tmp_path / "a", tokens, number=30)
        assert _settles(lambda: jobs.free() == 0)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert jobs.free() == 3


def _available(jobs: Jobserver) -> int:
    """How many more tokens somebody can get now."""
    with ExitStack() as held:
        for number in range(10):
            stop = Stop()
            threading.Timer(0.3, stop.set).start()
            try:
                held.enter_context(jobs.token(stop))
            except Stopped:
                return number
    return 10


@pytest.mark.slow
@pytest.mark.parametrize("trick", ["invent", "swallow", "stuff", "block"])
def test_a_make_that_cheats_hurts_nobody(jobs: Jobserver, trick: str) -> None:
    with jobs.token(Stop()), jobs.make() as tokens:
        match trick:
            case "invent":
                os.write(tokens.write_fd, b"+" * 100)
            case "swallow":
                assert _settles(lambda: tokens.idle() > 0)
                os.read(tokens.read_fd, 100)
            case "stuff":
                with open(f"/proc/self/fd/{tokens.read_fd}", "wb", buffering=0) as pipe:  # noqa: PTH123
                    pipe.write(b"+" * 100)
            case "block":
                os.set_blocking(tokens.read_fd, True)
        time.sleep(0.2)
        assert _available(jobs) == (0 if trick == "swallow" else 2)
    assert jobs.free() == 3


def test_invented_tokens_are_not_handed_on(jobs: Jobserver) -> None:
    with jobs.token(Stop()), jobs.token(Stop()), jobs.token(Stop()), jobs.make() as tokens:
        stop, granted = Stop(), threading.Event()

        def wait() -> None:
            with suppress(Stopped), jobs.token(stop):
                granted.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        os.write(tokens.write_fd, b"+" * 100)
        assert not granted.wait(0.4)
        stop.set()
        waiter.join()


def test_a_stop_ends_the_wait(jobs: Jobserver) -> None:
    stop = Stop()
    with jobs.token(Stop()), jobs.token(Stop()), jobs.token(Stop()):
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(Stopped), jobs.token(stop):
            pass


def test_a_failure_inside_gives_the_token_back(jobs: Jobserver) -> None:
    with pytest.raises(KeyError), jobs.token(Stop()), jobs.make():
        raise KeyError


def test_no_jobs_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Jobserver(0)
