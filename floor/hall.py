"""The hall: the only writer of its log.

`do` lets each command be decided on the draft of the day, in the order they came,
commits all that is pending in one group, and answers only when it is durable. Whatever
goes wrong at a commit, the draft is thrown away and read again from the log: memory is
never patched.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from floor import refusals
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.draft import DAYS_KNOWN as DAYS_KNOWN
from floor.draft import STEP_MAX as STEP_MAX
from floor.draft import Draft as Draft
from floor.draft import Receipt as Receipt
from floor.facts import Entry
from floor.log import Log, LogLost, LogUnreadable
from floor.thread import LogThread

# 40 windows and some kiosks press a few commands each at worst; a thousand pending
# means that the disk has stopped, and a clear refusal is better than a long wait.
PENDING_MAX = 1_000
BATCH_MAX = 256
# A log that is a day ahead was written under a wrong clock, or is read under one.
AHEAD_MAX = timedelta(days=1)

logger = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[Sequence[Entry]], None]


class Hall:
    """The one writer of a hall, for any number of callers in one event loop.

    While one group of facts is on its way to the disk, the next one is decided on top
    of it; nobody hears of that one before it is durable itself, and when the first is
    lost it is decided anew.

    Args:
        log: the log, held by this process; touched by the hall's own thread alone.
        catalogue: published into the log when it differs from the one in force.
        on_durable: told of facts in order, each once, after they are durable.
        known: the last days of the log, where somebody has read them just now.

    Attributes:
        lost: done when this process cannot go on with the log and must end.
    """

    def __init__(
        self,
        log: Log,
        catalogue: Catalogue,
        on_durable: Listener,
        known: list[Entry] | None = None,
    ) -> None:
        self.log = log
        self._draft = Draft(log, catalogue, known)
        self._on_durable = on_durable
        self._asked: deque[_Asked] = deque()
        self._decided: Decided = []  # On the draft, and not handed to the log yet.
        self._thread = LogThread()
        self._committing: asyncio.Future[None] | None = None
        self._told = self._draft.position
        self._turn_is_due = False
        self._sound = True
        self._open = False
        self._stopped = False
        self.lost: asyncio.Future[LogLost] = asyncio.Future()

    async def start(self, at: datetime) -> None:
        """Publish the catalogue if it is news, and begin to write.

        Raises:
            LogFailed: the catalogue could not be recorded; there is no hall.
        """
        last = self._draft.day.last_at if self._draft.position else None
        if last is not None and last - at > AHEAD_MAX:
            # Facts never go back in time, so the hall will stay on that day.
            logger.warning(
                "日志最后一条是 %s，晚于本机时钟，请检查时钟 / "
                "The log is ahead of this machine's clock, %s; check it",
                last.isoformat(timespec="seconds"),
                at.isoformat(timespec="seconds"),
            )
        self._draft.open(at)
        entries = self._draft.take()
        await self._thread.do(partial(self._draft.append, entries))
        self._tell(entries)
        self._open = True
        self._turn_soon()

    async def stop(self) -> None:
        """Finish what is being committed and refuse the rest."""
        self._stopped = True
        if self._committing is not None:
            await asyncio.wait([self._committing])
        for asked, _ in self._decided:
            asked.refuse(refusals.LogUnavailable())
        self._decided = []
        self._refuse_asked(refusals.LogUnavailable())
        self._thread.end()

    async def do(self, command: Command, at: datetime) -> Receipt:
        """Carry out one command; the answer is durable.

        Raises:
            Refused: the hall said no, or could not write; nothing was done.
        """
        receipt = await self._ask(command, at)
        assert receipt is not None, "Every command is answered by its fact."
        return receipt

    async def turn_day(self, at: datetime) -> None:
        """Close a business day that is over, if it was left open.

        Raises:
            Refused: the hall could not write; nothing was done.
        """
        await self._ask(None, at)

    async def between_commits(self, job: Callable[[], T]) -> T:
        """Do a short job on the log in its own thread; commands wait for its end."""
        return await self._thread.do(job)

    def _ask(
        self, command: Command | None, at: datetime
    ) -> "asyncio.Future[Receipt | None]":
        if self._stopped:
            raise refusals.LogUnavailable
        if len(self._asked) + len(self._decided) >= PENDING_MAX:
            raise refusals.HallOverloaded
        asked = _Asked(command, at)
        self._asked.append(asked)
        self._turn_soon()
        return asked.answer

    def _turn_soon(self) -> None:
        """Decide when all who are pressing at this moment have done so."""
        if not self._turn_is_due:
            self._turn_is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_is_due = False
        if self._stopped or not self._open:
            return
        try:
            self._decide_asked()
        except Exception as error:
            # A bug: whoever waits hears of it, and the log says what is true.
            logger.exception("The writer broke")
            self._sound = False
            self._refuse_asked(error)
        if self._decided and self._committing is None:
            self._hand_over()

    def _decide_asked(self) -> None:
        if not self._sound:
            if self._committing is not None:
                return  # What the log will say is not known before.
            if not self._recover([]):
                self._refuse_asked(refusals.LogUnavailable())
        while self._asked and len(self._decided) < BATCH_MAX:
            asked = self._asked.popleft()
            try:
                self._decided.append((asked, self._decide(asked)))
            except refusals.Refused as refusal:
                # Answered with the others: what it was refused for may be a fact that
                # nobody may hear of before it is durable.
                self._decided.append((asked, refusal))
            except Exception as error:
                logger.exception("A rule broke on %r", asked.command)
                asked.refuse(error)
                self._give_up_draft()

    def _decide(self, asked: "_Asked") -> Receipt | None:
        if asked.command is None:
            self._draft.turn_day(asked.at)
            return None
        return self._draft.decide(asked.command, asked.at)

    def _give_up_draft(self) -> None:
        """A bug in a rule must not take the hall down, nor leave a day half changed."""
        self._sound = False
        for asked, _ in self._decided:
            asked.refuse(refusals.LogUnavailable())
        self._decided = []
        self._refuse_asked(refusals.LogUnavailable())
        if self._committing is None:
            self._recover([])

    def _refuse_asked(self, error: Exception) -> None:
        while self._asked:
            self._asked.popleft().refuse(error)

    def _hand_over(self) -> None:
        """Let the log make durable what is decided, in one group."""
        batch, self._decided = self._decided, []
        entries = self._draft.take()
        self._committing = self._thread.do(partial(self._draft.append, entries))
        self._committing.add_done_callback(partial(self._settle, batch, entries))

    def _settle(
        self,
        batch: "Decided",
        entries: Sequence[Entry],
        committed: "asyncio.Future[None]",
    ) -> None:
        """Answer a group, whose facts are durable or not."""
        self._committing = None
        failed = committed.exception()
        if failed is not None:  # LogFailed, or a bug: memory is ahead of the log.
            logger.error("The log refused %d commands", len(batch), exc_info=failed)
            self._sound = False
        elif self._decided and not self._stopped:
            self._hand_over()  # The disk goes on while these are answered.
        try:
            if failed is not None:
                self._recover(batch)
            else:
                self._answer(batch, entries)
        except Exception as error:
            # A bug: its callers hear of it, and the log says what is true.
            logger.exception("The writer broke")
            self._sound = False
            for asked, _ in batch:
                asked.refuse(error)
        if self._asked:
            self._turn_soon()

    def _answer(self, batch: "Decided", entries: Sequence[Entry]) -> None:
        if self._sound:
            self._tell(entries)
        elif not self._recover([]):
            batch = [(asked, refusals.LogUnavailable()) for asked, _ in batch]
        for asked, answer in batch:
            if isinstance(answer, Exception):
                asked.refuse(answer)
            else:
                asked.reply(answer)

    def _recover(self, lost: "Decided") -> bool:
        """Read the log again; answer what was lost by whether it is there after all."""
        # What was decided on the draft that is thrown away is decided anew.
        self._asked.extendleft(asked for asked, _ in reversed(self._decided))
        self._decided = []
        try:
            entries = self._draft.reload()
        except (LogUnreadable, LogLost) as error:
            logger.exception("The log cannot be read")
            for asked, _ in lost:
                asked.refuse(refusals.LogUnavailable())
            if isinstance(error, LogLost) and not self.lost.done():
                self._stopped = True
                self.lost.set_result(error)
                self._refuse_asked(refusals.LogUnavailable())
            return False
        self._sound = True
        self._tell([entry for entry in entries if entry.position > self._told])
        for asked, answer in lost:
            # An error at commit may come after the rows are durable.
            id = answer.entry.fact.command if isinstance(answer, Receipt) else ""
            done = self._draft.done(id)
            if isinstance(answer, Receipt) and done is not None:
                asked.reply(Receipt(done, answer.repeated))
            else:
                asked.refuse(refusals.LogUnavailable())
        return True

    def _tell(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._on_durable(entries)
            self._told = entries[-1].position

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


class _Asked:
    """A command on its way (None: turn the day), and the caller who waits."""

    __slots__ = ("answer", "at", "command")

    def __init__(self, command: Command | None, at: datetime) -> None:
        self.command = command
        self.at = at
        self.answer: asyncio.Future[Receipt | None] = (
            asyncio.get_running_loop().create_future()
        )

    def reply(self, receipt: Receipt | None) -> None:
        if not self.answer.done():  # The caller may have gone away.
            self.answer.set_result(receipt)

    def refuse(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


Decided = list[tuple[_Asked, Receipt | refusals.Refused | None]]
