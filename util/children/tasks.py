# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks as threads that wait for each other; the first error stops them all."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from util.stop import Stop, Stopped

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")
THREADS = 512
"""Tasks wait most of their time; the jobserver, not this number, bounds the load."""


class Tasks:
    """A context manager: leaving it by an exception sets the stop, and leaving it waits for every thread."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._pool = ThreadPoolExecutor(THREADS, "task")
        self._futures: list[Future[Any]] = []

    def __enter__(self) -> "Tasks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stop.set()
        self._pool.shutdown(wait=True)

    def start(
        self, work: Callable[Arguments, Value], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> "Future[Value]":
        """Runs `work` in a thread. A task may wait for the result of one that was started before it."""
        future = self._pool.submit(self._guarded, partial(work, *args, **kwargs))
        self._futures.append(future)
        return future

    def join(self) -> None:
        """Waits for all tasks, also those that tasks start. Raises the first error that is not a mere `Stopped`."""
        seen = 0
        while seen < len(self._futures):
            seen = len(self._futures)
            wait(self._futures[:seen])
        errors = [error for future in self._futures if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, Stopped):
                raise error
        if errors:
            raise Stopped

    def _guarded(self, work: Callable[[], Value]) -> Value:
        self._stop.check()
        try:
            return work()
        except BaseException:
            self._stop.set()
            raise


def succeeded(future: "Future[Any]") -> bool:
    """True where the result is there to be read."""
    return future.done() and not future.cancelled() and future.exception() is None
