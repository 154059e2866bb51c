"""asyncio in virtual time: one step after the other, in an order that a seed decides.

No thread, no socket and no clock: when nothing is ready, time jumps to what is due
next. Whatever a `Mortal` scheduled is forgotten when it dies, so that a process can be
cut off between any two steps, and none of its own code runs any more.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from inspect import CORO_CREATED, getcoroutinestate
from random import Random
from types import CoroutineType
from typing import Any, TypeVar

from floor.thread import LogThread

T = TypeVar("T")


class Mortal:
    """Something whose tasks and callbacks vanish at one step.

    Attributes:
        steps: how many of its steps have run.
        dies_at: the step before which it dies; none when negative.
    """

    def __init__(self) -> None:
        self.alive = True
        self.steps = 0
        self.dies_at = -1
        #: Everything that runs in this context, or comes of it, belongs to it.
        self.context = Context()
        self.context.run(_BELONGS_TO.set, self)

    def die(self) -> None:
        self.alive = False


_BELONGS_TO: ContextVar[Mortal | None] = ContextVar("belongs_to", default=None)
Do = Callable[..., object]
Wrong = Callable[[str], None]
#: Seconds until a function handed to a thread does its work, and until that is known.
Lags = Callable[[], tuple[float, float]]


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop for simulation.

    Args:
        chance: decides the order of what is ready, when that is shuffled.
        shuffled: whether independent steps may run in any order, not first come.
        lags: how long a function takes in a thread.
        wrong: told of an exception that nobody caught.
    """

    def __init__(
        self, chance: Random, *, shuffled: bool, lags: Lags, wrong: Wrong
    ) -> None:
        super().__init__()
        self.steps = 0
        self.halted = False
        self._chance = chance
        self._shuffled = shuffled
        self._lags = lags
        self._wrong = wrong
        self._now = 0.0
        self._due: deque[_Step] = deque()
        self._timed: list[tuple[float, int, _Step]] = []
        self._turn = itertools.count()
        self._busy_until: dict[object, float] = {}
        # Kept to the end: what is collected runs code, at nobody knows which step.
        self._tasks: list[asyncio.Task[Any]] = []
        self._over = False

    def run_to(self, when: float) -> None:
        """Run everything that is due up to an instant, which it is then."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            self._run(when)
            if not self.halted:
                self._now = when
        finally:
            asyncio._set_running_loop(before)

    def end(self) -> None:
        """Let nothing happen any more: what is left may be collected in any order."""
        self._over = True
        self._due.clear()
        self._timed.clear()
        for task in self._tasks:
            work = None if task.done() else task.get_coro()
            if isinstance(work, CoroutineType) and (
                getcoroutinestate(work) == CORO_CREATED
            ):
                work.close()  # Or Python complains that nobody awaited it.
        self._tasks.clear()
        self.close()

    def _run(self, until: float) -> None:
        # One function, and plain tuples: most of a simulation's time is spent here.
        due, timed = self._due, self._timed
        while not self.halted:
            if not due:
                if not timed or timed[0][0] > until:
                    return
                self._now = timed[0][0]
                while timed and timed[0][0] == self._now:
                    due.append(heapq.heappop(timed)[2])
            if self._shuffled and len(due) > 1:
                due.rotate(-int(self._chance.random() * len(due)))
            step = due.popleft()
            if step.gone:
                continue
            owner = step.context.get(_BELONGS_TO)
            if owner is not None:
                if owner.alive and owner.steps == owner.dies_at:
                    owner.die()
                if not owner.alive:
                    continue
                owner.steps += 1
            self.steps += 1
            try:
                step.context.run(step.do, *step.words)
            except Exception as error:
                self._wrong(f"A callback broke: {error!r}")

    # ── What asyncio asks of a loop ─────────────────────────────────────────

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]  # It takes any words.
        self, callback: Do, *args: Any, context: Context | None = None
    ) -> "_Step":
        step = _Step(callback, args, context or copy_context())
        if not self._over:
            self._due.append(step)
        return step

    def call_at(  # type: ignore[override]
        self, when: float, callback: Do, *args: Any, context: Context | None = None
    ) -> "_Step":
        step = _Step(callback, args, context or copy_context())
        if not self._over:
            at = max(when, self._now)
            heapq.heappush(self._timed, (at, next(self._turn), step))
        return step

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Do, *args: Any, context: Context | None = None
    ) -> "_Step":
        step = _Step(callback, args, context or copy_context())
        if not self._over:
            at = self._now + max(delay, 0.0)
            heapq.heappush(self._timed, (at, next(self._turn), step))
        return step

    def create_task(  # type: ignore[override]  # Names and factories are not used.
        self, coro: Coroutine[Any, Any, T], *, context: Context | None = None, **_: Any
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(  # type: ignore[override]  # The executor only has a name here.
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a function at a later instant, and tell of it later still."""
        answer: asyncio.Future[T] = self.create_future()
        until_work, until_known = self._lags()
        # A pool of one thread does one thing after the other.
        begin = max(self._now, self._busy_until.get(executor, 0.0)) + until_work
        self._busy_until[executor] = begin + until_known

        def work() -> None:
            try:
                known = answer.set_result, func(*args)
            except Exception as error:
                known = answer.set_exception, error  # type: ignore[assignment]
            self.call_at(begin + until_known, tell, *known)

        def tell(settle: Callable[[object], None], known: object) -> None:
            if not answer.done():
                settle(known)

        self.call_at(begin, work)
        return answer

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What died is not mourned; anything else is looked at where it is caught."""


class _Step(asyncio.TimerHandle):
    """A callback that will run once, unless it is cancelled or its owner dies."""

    __slots__ = ("context", "do", "gone", "words")

    def __init__(self, do: Do, words: tuple[Any, ...], context: Context) -> None:
        # asyncio's own fields are for its own loops, and cost more than the step.
        self.do = do
        self.words = words
        self.context = context
        self.gone = False

    def cancel(self) -> None:
        self.gone = True

    def cancelled(self) -> bool:
        return self.gone


class VirtualThread(LogThread):
    """The thread of a log, in virtual time."""

    def do(self, job: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self, job)  # type: ignore[arg-type]
