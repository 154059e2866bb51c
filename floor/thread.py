"""The thread that waits for the disk, so that the hall does not.

A ThreadPoolExecutor does the same at three times the price a job: half of what a
command costs beyond its commit.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class LogThread:
    """One thread, begun with its first job; it does one job after the other."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def do(self, job: Callable[[], T]) -> "asyncio.Future[T]":
        """Do a job after those before it; what it gave or raised, when it is done."""
        if self._thread is None:
            # What is cut off at a process's end is not durable, and nobody heard of it.
            self._thread = Thread(target=self._work, name="log", daemon=True)
            self._thread.start()
        asked = _Job(job)
        self._jobs.put(asked)
        return asked.done

    def end(self) -> None:
        """Finish what was asked for, and end the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (asked := self._jobs.get()) is not None:
            asked.carry_out()


class _Job(Generic[T]):
    __slots__ = ("_do", "_loop", "done")

    def __init__(self, do: Callable[[], T]) -> None:
        self._do = do
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[T] = self._loop.create_future()

    def carry_out(self) -> None:
        """In the thread; whoever waits hears of it in the event loop."""
        try:
            given = self._do()
        except BaseException as error:
            self._tell(self.done.set_exception, error)
        else:
            self._tell(self.done.set_result, given)

    def _tell(self, settle: Callable[[Any], None], outcome: object) -> None:
        with suppress(RuntimeError):  # The loop is closed, and nobody waits any more.
            self._loop.call_soon_threadsafe(self._settle, settle, outcome)

    def _settle(self, settle: Callable[[Any], None], outcome: object) -> None:
        if not self.done.done():
            settle(outcome)
