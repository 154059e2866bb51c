"""A recorded day, played again to screens and voice.

The facts of one business day come out of its log with the spacing they had, divided
by a speed, through a feed like that of a hall at work. Nothing is written.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from floor import log
from floor.day import days, setup_stream_of, stream_of
from floor.facts import CataloguePublished, Entry
from floor.follow import Feed
from floor.refusals import Unusable
from floor.streams import is_day

# Slower than a tenth nobody would watch; a day in a second is the fastest that a
# screen could follow at all.
SPEED_MIN = 0.1
SPEED_MAX = 100_000
#: Facts closer together than this come at once: a timer is not more exact.
TOGETHER_S = 0.005
#: Facts that go out before followers get their turn; well below their queues.
BATCH_MAX = 128
AHEAD_S_MAX = 10 * 24 * 3600  # Longer than any business day.

Progress = Callable[[int, int], None]


class NothingRecorded(Unusable):
    """The day cannot be played."""


class Recording:
    """One business day of a log.

    Args:
        path: the log; a hall may be at work on it.
        day: the business day; the last one when None.

    Attributes:
        feed: at first an empty hall with the catalogue that was in force.
        entries: the day's facts in order.

    Raises:
        NothingRecorded: the log has no such day, or is not the log of one hall.
        LogUnreadable: the file is not a log of ours.
    """

    def __init__(self, path: log.Place, day: date | None = None) -> None:
        self._opening, self.entries = _day_of(path, day)
        self._played = 0
        self._speed = SPEED_MIN
        #: When playing began, in recorded time and on this machine.
        self._began: tuple[datetime, float] | None = None
        self.feed = Feed([self._opening], self._past)

    @property
    def day(self) -> date:
        return date.fromisoformat(self.entries[0].stream.rpartition("/")[2])

    def clock(self) -> datetime:
        """The time of the recorded day that is being shown, aware UTC.

        Never before the last fact shown nor past the next one, however slow the
        machine is.
        """
        if self._began is None:
            return self._shown_at()
        return max(self._shown_at(), min(self._due(), self._next_at()))

    async def play(self, speed: float, on_progress: Progress | None = None) -> None:
        """Publish the day's facts in their time; returns after the last one.

        Cancelled and called again, it goes on where it was, at the new speed.

        Args:
            speed: how many recorded seconds pass in one.
            on_progress: told how many facts are out, and of how many.

        Raises:
            NothingRecorded: nothing can be played at this speed.
        """
        check_speed(speed)
        self._began = (self.clock(), time.monotonic())
        self._speed = speed
        while self._played < len(self.entries):
            wait_s = (self._next_at() - self._due()).total_seconds() / speed
            # Also with nothing to wait for, followers get their turn.
            await asyncio.sleep(wait_s if wait_s > TOGETHER_S else 0)
            self._publish_due()
            if on_progress is not None:
                on_progress(self._played, len(self.entries))

    def _due(self) -> datetime:
        """The recorded time that has come, by the speed alone."""
        assert self._began is not None
        from_at, began = self._began
        passed_s = (time.monotonic() - began) * self._speed
        # Bounded, so that no speed and no long stay can leave the calendar.
        return from_at + timedelta(seconds=min(passed_s, AHEAD_S_MAX))

    def _shown_at(self) -> datetime:
        shown = self.entries[self._played - 1] if self._played else self._opening
        return shown.fact.at

    def _next_at(self) -> datetime:
        last = min(self._played, len(self.entries) - 1)
        return self.entries[last].fact.at

    def _publish_due(self) -> None:
        until = self._due() + timedelta(seconds=TOGETHER_S * self._speed)
        end = self._played
        while end < len(self.entries) and self.entries[end].fact.at <= until:
            end += 1
        batch = self.entries[self._played : min(end, self._played + BATCH_MAX)]
        self._played += len(batch)
        self.feed.publish(batch)

    def _past(self, since: int) -> Iterable[Entry]:
        """What has been shown so far; a follower sees nothing of what is to come."""
        shown = (self._opening, *self.entries[: self._played])
        return [entry for entry in shown if entry.position > since]


def check_speed(speed: float) -> None:
    """Whether a day can be played so fast.

    Raises:
        NothingRecorded: slower or faster than anybody could follow, or no number.
    """
    if not SPEED_MIN <= speed <= SPEED_MAX:
        raise NothingRecorded(
            f"回放速度应在 {SPEED_MIN} 到 {SPEED_MAX} 倍之间",
            f"The speed must be between {SPEED_MIN} and {SPEED_MAX}",
        )


def _day_of(path: log.Place, day: date | None) -> tuple[Entry, Sequence[Entry]]:
    """The catalogue in force and the facts of a day.

    The catalogue is set to just before the day's first fact, in time and position, so
    that followers see a hall that opens, and no gap.
    """
    halls = log.halls(path)
    if len(halls) != 1:
        raise NothingRecorded(
            f"{path.name} 里有 {len(halls)} 个大厅的记录，回放需要 1 个",
            f"{path.name} holds {len(halls)} halls; a replay needs one",
        )
    setup = setup_stream_of(halls[0])
    # The last day is found at once; an earlier one takes a pass over the log.
    entries = log.read(path) if day else iter(log.read_last_day(path, halls[0]))
    wanted = stream_of(halls[0], day) if day else None
    in_force: Entry | None = None
    facts: list[Entry] = []
    # Catalogues and bookings after a fact of the day; perhaps its own.
    since: list[Entry] = []
    for entry in entries:
        if not is_day(entry.stream):
            if facts:
                since.append(entry)
            elif entry.stream == setup:
                in_force = entry
        elif wanted in (None, entry.stream):
            facts += [*since, entry]
            since = []
        elif facts:
            break
    if not facts or in_force is None:
        raise NothingRecorded(
            f"{path.name} 里没有 {day or '任何一天'} 的记录",
            f"{path.name} has no facts of {day or 'any day'}",
        )
    first = facts[0].fact
    published = msgspec.structs.replace(
        in_force.fact, at=first.at, position=first.position - 1
    )
    assert isinstance(published, CataloguePublished)
    return Entry(in_force.stream, in_force.version, published), facts


def digests(path: log.Place) -> list[tuple[str, str]]:
    """Each business day's stream with the SHA-256 of its state, folded from the log.

    Raises:
        LogUnreadable: the file is not a log of ours.
    """
    return [(day.stream, day.digest()) for day in days(log.read(path))]
