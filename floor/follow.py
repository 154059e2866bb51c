"""Following the log: past facts, then new ones, for anyone who reads along.

The feed holds the day as it is *durable*; all readers look at it and never at the
writer's draft. One bounded queue for each follower: whoever stalls is cut off and
comes back by itself from its last position, and never delays the hall.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from floor import log
from floor.catalogue import Catalogue
from floor.day import Day, advance
from floor.facts import Entry
from floor.hall import DAYS_KNOWN, Hall
from floor.overtaken import Calls
from floor.streams import is_day

# A rush of a whole hall is some 50 facts a second; a follower that is 20 s behind
# has stalled.
QUEUE_MAX = 1_024
# Facts kept in memory for a quick resume; older ones are read from the log.
RING_MAX = 8_192
# A follower that reads far back gives way to the hall after so many facts.
BURST_MAX = 256

logger = logging.getLogger(__name__)

Reader = Callable[[int], Iterable[Entry]]
#: Told of the day and the fact that changed it; of None when a new day began empty.
Watcher = Callable[[Day, Entry | None], None]


class Stalled(ConnectionError):
    """The follower did not keep up and was cut off; come back from your position."""


class Feed:
    """Everything durable of one hall, in order.

    Args:
        entries: what is already in the log and makes up the present day.
        past: reads facts after a position from the log, for a resume further back.

    Attributes:
        calls: of the present day, to tell who was called before whom.
    """

    def __init__(self, entries: Sequence[Entry], past: Reader) -> None:
        self._past = past
        self._ring: deque[Entry] = deque(maxlen=RING_MAX)
        # In the order they came: a set's order would change from run to run.
        self._followers: dict[Follower, None] = {}
        self.calls = Calls()
        self._watchers: list[Watcher] = [self.calls.hear]
        self._day: Day | None = None
        self._dawn: Day | None = None
        self.position = 0
        self.publish(entries)

    @property
    def day(self) -> Day:
        """The day after the last durable fact. To be read, never changed."""
        assert self._day is not None, "The hall publishes a catalogue before all else."
        return self._dawn or self._day

    def watch(self, watcher: Watcher) -> None:
        """Call this with the day right after each fact, at once and in order."""
        self._watchers.append(watcher)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Let everybody know of durable facts; never waits for anybody."""
        for entry in entries:
            position = entry.fact.position
            if position <= self.position:
                continue  # Told again, after a bug stopped the telling half-way.
            self._day, self._dawn = advance(self._day, entry), None
            if position != self.position + 1:
                self._ring.clear()  # A start reads the last day, not what lies before.
            self.position = position
            self._ring.append(entry)
            self._show(self._day, entry)
            for follower in tuple(self._followers):
                follower.offer(entry)

    def turn_day(self, at: datetime) -> None:
        """Show an empty hall when a business day begins, before its first fact."""
        date = self.day.catalogue.business_date(at)
        if date > self.day.date:
            # Shown, and no more than that: when the clock goes back, the next fact may
            # still be one of the day before.
            self._dawn = Day(self.day.catalogue, date, self.day.bookings)
            self._show(self._dawn, None)

    def _show(self, day: Day, entry: Entry | None) -> None:
        for watcher in self._watchers:
            try:
                watcher(day, entry)
            except Exception:
                # A screen that is wrong must not keep the hall from answering.
                logger.exception("A watcher broke at fact %d", self.position)

    def follow(self, since: int) -> "Follower":
        """Past facts after a position, then new ones. Close it when done."""
        follower = Follower(self, since)
        # Subscribed first, then read: a fact that arrives meanwhile is in both and
        # dropped once; the other way round it could be in neither.
        self._followers[follower] = None
        return follower

    def leave(self, follower: "Follower") -> None:
        self._followers.pop(follower, None)

    def after(self, since: int) -> Iterable[Entry]:
        """Facts after a position, from memory where it reaches so far."""
        if self._ring and self._ring[0].position <= since + 1:
            return [entry for entry in self._ring if entry.position > since]
        return self._past(since)


@asynccontextmanager
async def opened(
    place: log.Place, catalogue: Catalogue, at: datetime
) -> AsyncIterator[tuple[Hall, Feed]]:
    """A hall at work on its log, and the feed of what it makes durable.

    Raises:
        LogInUse: another process writes this hall.
        LogUnreadable: the place is not a log of ours.
    """
    with log.Log(place, catalogue.hall) as held:
        async with at_work(held, catalogue, at) as (hall, feed):
            yield hall, feed


@asynccontextmanager
async def at_work(
    held: log.Log, catalogue: Catalogue, at: datetime
) -> AsyncIterator[tuple[Hall, Feed]]:
    """The same on a log that is held already, as by a standby that took over."""
    known = held.recent(catalogue.hall, DAYS_KNOWN)

    def past(since: int) -> Iterable[Entry]:
        return log.read(held.path, since=since, hall=catalogue.hall)

    feed = Feed(of_last_day(known), past)
    async with Hall(held, catalogue, feed.publish, known) as hall:
        await hall.start(at)
        yield hall, feed


def of_last_day(entries: Sequence[Entry]) -> list[Entry]:
    """Of a hall's last days the last one, and what belongs to none."""
    streams = {entry.stream for entry in entries}
    earlier = set(sorted(stream for stream in streams if is_day(stream))[:-1])
    return [entry for entry in entries if entry.stream not in earlier]


class Follower:
    """One reader's place in the log: iterate it for facts without gap or repeat."""

    def __init__(self, feed: Feed, since: int) -> None:
        self._feed = feed
        self.position = since
        self._queue: asyncio.Queue[Entry] = asyncio.Queue(QUEUE_MAX)
        self._backlog: Iterable[Entry] | None = None
        self._stalled = False

    def offer(self, entry: Entry) -> None:
        try:
            self._queue.put_nowait(entry)
        except asyncio.QueueFull:
            self._stalled = True
            self._feed.leave(self)

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> Entry:
        """The next fact.

        Raises:
            Stalled: this follower was cut off.
        """
        if self._backlog is None:
            self._backlog = iter(self._feed.after(self.position))
        elif self.position % BURST_MAX == 0:
            await asyncio.sleep(0)
        for entry in self._backlog:
            if entry.position > self.position:
                self.position = entry.position
                return entry
        while True:
            if self._stalled and self._queue.empty():
                raise Stalled
            entry = await self._queue.get()
            if entry.position > self.position:
                assert entry.position == self.position + 1, "A follower saw a gap."
                self.position = entry.position
                return entry

    def close(self) -> None:
        self._feed.leave(self)
