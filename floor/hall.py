"""The hall: the only writer of its log.

`do` decides each command on a draft of the day, in the order they came, commits all
that is pending in one group, and answers only when it is durable. Whatever goes wrong
at a commit, the draft is thrown away and read again from the log: memory is never
patched.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

import msgspec

from floor import effects, facts, refusals
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day, advance
from floor.facts import Entry, Fact
from floor.log import Log, LogUnreadable
from floor.refusals import LogLost
from floor.rules.hall import missed
from floor.streams import stream_for

# 40 windows and some kiosks press a few commands each at worst; a thousand pending
# means that the disk has stopped, and a clear refusal is better than a long wait.
PENDING_MAX = 1_000
BATCH_MAX = 256
# A command repeated just after midnight is still known: today's and yesterday's.
DAYS_KNOWN = 2
# Smaller steps back are what time synchronisation does all day.
STEP_MAX = timedelta(seconds=2)
# A log that is a day ahead was written under a wrong clock, or is read under one.
AHEAD_MAX = timedelta(days=1)

logger = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[Sequence[Entry]], None]


class Receipt(msgspec.Struct, frozen=True):
    """A durable answer: the fact, and whether an earlier press had caused it."""

    entry: Entry
    repeated: bool = False


class Draft:
    """The writer's own state: decided, and perhaps not durable yet.

    Used alone by the import, which needs no event loop; `Hall` puts it to work for
    many callers at once.

    Args:
        log: the log, held by this process.
        catalogue: what is to be in force; published when it is news to the log.
    """

    def __init__(self, log: Log, catalogue: Catalogue) -> None:
        self._log = log
        self._hall = catalogue.hall
        self._publish: Catalogue | None = catalogue
        self.pending: list[Entry] = []
        self.reload()

    def reload(self) -> list[Entry]:
        """Throw memory away and read the last days from the log.

        Returns:
            what was read, in order of position.
        """
        entries = self._log.recent(self._hall, DAYS_KNOWN)
        self.pending = []
        self.position = 0
        self._day: Day | None = None
        self._done_before: dict[str, Entry] = {}
        self._last_at: datetime | None = None
        self._stepped: facts.ClockStepped | None = None
        self._ends: dict[str, int] = {}  # The last version of each stream.
        for entry in entries:
            self._take_in(entry)
        return entries

    @property
    def day(self) -> Day:
        assert self._day is not None, "A catalogue is published before any command."
        return self._day

    def open(self, at: datetime) -> None:
        """Publish the catalogue if the one in force differs."""
        # A day that was left open ends before there is news.
        at = self.turn_day(at) if self._day else self._settle_clock(at)
        in_force = self._day.catalogue if self._day else None
        if self._publish is not None and self._publish != in_force:
            published = facts.CataloguePublished(at=at, catalogue=self._publish)
            self._write(published, self._publish.business_date(at))
        self._publish = None

    def decide(self, command: Command, at: datetime) -> Receipt:
        """The fact that a command causes, on the draft; not durable before `commit`.

        Raises:
            Refused: nothing changed.
        """
        id = command.command_id
        done = self.done(id)
        if done is not None:
            if not effects.same(command, done.fact):
                raise refusals.CommandIdReused
            return Receipt(done, repeated=True)
        at = self.turn_day(at)
        day = self._day_of(at)
        answer = None
        for fact in effects.decide(command, day, at):
            if answer is None and effects.answers(command, fact):
                named = msgspec.structs.replace(fact, command=id or str(uuid4()))
                answer = self._write(named, day.date)
            else:
                self._write(fact, day.date)
        assert answer is not None, f"No fact answers {command!r}."
        return Receipt(answer)

    def done(self, command_id: str) -> Entry | None:
        """The fact that a command caused, today or yesterday."""
        if not command_id:
            return None
        return self.day.done.get(command_id) or self._done_before.get(command_id)

    def commit(self) -> list[Entry]:
        """Make all that is pending durable, in one transaction.

        Raises:
            LogFailed: the draft is ahead of the log now; `reload` it.
        """
        entries, self.pending = self.pending, []
        if entries:
            self._log.append(entries)
        else:
            self._log.check()
        return entries

    def _write(self, fact: Fact, day: date) -> Entry:
        stream = stream_for(fact, self._hall, day)
        version = self._ends.get(stream, 0) + 1
        numbered = msgspec.structs.replace(fact, position=self.position + 1)
        entry = Entry(stream, version, numbered)
        self._take_in(entry)
        self.pending.append(entry)
        return entry

    def _take_in(self, entry: Entry) -> None:
        """Let a fact happen on the draft, just written or read again."""
        day = advance(self._day, entry)
        if self._day is not None and day is not self._day:
            self._done_before = self._day.done
        self._day = day
        self._ends[entry.stream] = entry.version
        # Positions run over all streams, so the last one may be a catalogue's.
        self.position = entry.position
        self._last_at = entry.fact.at
        if isinstance(entry.fact, facts.ClockStepped):
            self._stepped = entry.fact
        elif self._stepped is not None and entry.fact.at > self._stepped.at:
            self._stepped = None  # The clock has caught up with the log.

    def _settle_clock(self, at: datetime) -> datetime:
        """Whole milliseconds, and never before the last fact."""
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        last = self._last_at
        if last is None or at >= last:
            return at
        noted = timedelta()
        if self._stepped is not None:
            noted = timedelta(milliseconds=self._stepped.back_ms)
        if self._day is not None and last - at > noted + STEP_MAX:
            back_ms = (last - at) // timedelta(milliseconds=1)
            stepped = facts.ClockStepped(at=last, back_ms=back_ms)
            self._write(stepped, self._day_of(last).date)
        return last

    def turn_day(self, at: datetime) -> datetime:
        """Close a business day that was left open and is over at this instant.

        Returns:
            the instant, settled: what happens now happens at it.
        """
        at = self._settle_clock(at)
        over = self.day
        if self._day_of(at) is over:
            return at
        absent = missed(over, at)
        if over.version and not over.closed:
            closed = facts.HallClosed(at=at, reason="day_change")
            self._write(closed, over.date)
        for fact in absent:
            self._write(fact, over.date)
        return at

    def _day_of(self, at: datetime) -> Day:
        """The day to decide on: the present one, or one that nothing happened on yet.

        Only its first fact begins a day. A draft that has turned to an empty one is
        ahead of the log, and is on another day than a replay when the clock goes back.
        """
        day = self.day
        date_of = day.catalogue.business_date(at)
        if date_of <= day.date:
            return day
        return Day(day.catalogue, date_of, day.bookings)


class Hall:
    """The one writer of a hall, for any number of callers in one event loop.

    Args:
        log: the log, held by this process; touched by the hall's own thread alone.
        catalogue: published into the log when it differs from the one in force.
        on_durable: told of facts in order, each once, after they are durable.

    Attributes:
        lost: done when this process cannot go on with the log and must end.
    """

    def __init__(self, log: Log, catalogue: Catalogue, on_durable: Listener) -> None:
        self.log = log
        self._draft = Draft(log, catalogue)
        self._on_durable = on_durable
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue(PENDING_MAX)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._writer: asyncio.Task[None] | None = None
        self._committing: asyncio.Future[None] | None = None
        self._told = self._draft.position
        self._sound = True
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
        loop = asyncio.get_running_loop()
        self._tell(await loop.run_in_executor(self._thread, self._draft.commit))
        self._writer = asyncio.create_task(self._write())

    async def stop(self) -> None:
        """Finish what is being committed and refuse the rest."""
        self._stopped = True
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        if self._committing is not None:
            await asyncio.gather(self._committing, return_exceptions=True)
        self._refuse_pending()
        self._thread.shutdown(wait=True)

    async def do(self, command: Command, at: datetime) -> Receipt:
        """Carry out one command; the answer is durable.

        Raises:
            Refused: the hall said no, or could not write; nothing was done.
        """
        receipt = await self._ask(_Asked(command, at))
        assert receipt is not None, "Every command is answered by its fact."
        return receipt

    async def turn_day(self, at: datetime) -> None:
        """Close a business day that is over, if it was left open.

        Raises:
            Refused: the hall could not write; nothing was done.
        """
        await self._ask(_Asked(None, at))

    async def between_commits(self, job: Callable[[], T]) -> T:
        """Do a short job on the log in its own thread; commands wait for its end."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    async def _ask(self, asked: "_Asked") -> Receipt | None:
        if self._stopped:
            raise refusals.LogUnavailable
        try:
            self._asked.put_nowait(asked)
        except asyncio.QueueFull:
            raise refusals.HallOverloaded from None
        return await asked.answer

    def _refuse_pending(self) -> None:
        while not self._asked.empty():
            self._asked.get_nowait().refuse(refusals.LogUnavailable())

    async def _write(self) -> None:
        while not self.lost.done():
            batch = [await self._asked.get()]
            while len(batch) < BATCH_MAX and not self._asked.empty():
                batch.append(self._asked.get_nowait())
            # Shielded, so that a stop lets the commit under way be answered.
            self._committing = asyncio.ensure_future(self._carry_out(batch))
            try:
                await asyncio.shield(self._committing)
            except Exception as error:
                # A bug: its callers hear of it, and the log says what is true.
                logger.exception("The writer broke")
                self._sound = False
                for asked in batch:
                    asked.refuse(error)

    async def _carry_out(self, batch: "list[_Asked]") -> None:
        if not self._sound and not self._recover([]):
            for asked in batch:
                asked.refuse(refusals.LogUnavailable())
            return
        decided: Decided = []
        for asked in batch:
            try:
                decided.append((asked, self._decide(asked)))
            except refusals.Refused as refusal:
                # Answered with the others: what it was refused for may be a fact of
                # this very batch, which nobody may hear of before it is durable.
                decided.append((asked, refusal))
            except Exception as error:
                # A bug in a rule must not take the hall down with it, nor leave a
                # draft that may be half changed.
                logger.exception("A rule broke on %r", asked.command)
                self._sound = False
                asked.refuse(error)
        if not self._sound:
            for asked, _ in decided:
                asked.refuse(refusals.LogUnavailable())
            self._recover([])
            return
        await self._commit(decided)

    def _decide(self, asked: "_Asked") -> Receipt | None:
        if asked.command is None:
            self._draft.turn_day(asked.at)
            return None
        return self._draft.decide(asked.command, asked.at)

    async def _commit(self, decided: "Decided") -> None:
        loop = asyncio.get_running_loop()
        try:
            entries = await loop.run_in_executor(self._thread, self._draft.commit)
        except Exception:  # LogFailed, or a bug: memory is ahead of the log.
            logger.exception("The log refused %d commands", len(decided))
            self._sound = False
            self._recover(decided)
            return
        self._tell(entries)
        for asked, answer in decided:
            if isinstance(answer, refusals.Refused):
                asked.refuse(answer)
            else:
                asked.reply(answer)

    def _recover(self, decided: "Decided") -> bool:
        """Read the log again; answer each command by whether it is there."""
        try:
            entries = self._draft.reload()
        except (LogUnreadable, LogLost) as error:
            logger.exception("The log cannot be read")
            for asked, _ in decided:
                asked.refuse(refusals.LogUnavailable())
            if isinstance(error, LogLost) and not self.lost.done():
                self._stopped = True
                self.lost.set_result(error)
                self._refuse_pending()
            return False
        self._sound = True
        self._tell([entry for entry in entries if entry.position > self._told])
        for asked, answer in decided:
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
