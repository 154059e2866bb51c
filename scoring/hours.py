"""Time that counts: the hall's open hours, without lunch and without outages.

Durations are whole milliseconds, by integer division of `timedelta`: a score must
come out the same on every machine.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

Stretch = tuple[datetime, datetime]

MS = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hours:
    """One business day's clock, for measuring what visitors and windows did.

    Args:
        open_spans: the hall's open hours without lunch, in order; empty on a day off.
        outages: stretches for which no window is to blame (系统故障), in any order.
    """

    def __init__(
        self, open_spans: Sequence[Stretch], outages: Iterable[Stretch] = ()
    ) -> None:
        self.open_spans = tuple(open_spans)
        self._outages = tuple(_merged(outages))
        self._counted = tuple(_without(self.open_spans, self._outages))

    def open_ms(self, since: datetime, to: datetime) -> int:
        """Open time between two instants, outages left out; 0 when none."""
        return sum(ms(*stretch) for stretch in self.open_within(since, to))

    def wall_ms(self, since: datetime, to: datetime) -> int:
        """Time between two instants by the wall clock, outages left out."""
        return ms(since, to) - sum(ms(*out) for out in _cut(self._outages, since, to))

    def open_within(self, since: datetime, to: datetime) -> Iterator[Stretch]:
        """The parts of a stretch that count as open time, in order."""
        return _cut(self._counted, since, to)

    def when_open_ms(self, since: datetime, open_ms: int) -> datetime | None:
        """The instant at which so much open time has passed; None: not on this day."""
        left = open_ms * MS
        for begins, ends in self._counted:
            begins = max(begins, since)
            if begins < ends and left <= ends - begins:
                return begins + left
            left -= max(ends - begins, timedelta())
        return None


def ms(since: datetime, to: datetime) -> int:
    """Whole milliseconds from one instant to another."""
    return (to - since) // MS


def epoch_ms(at: datetime) -> int:
    """An instant as a whole number, for rows that hold nothing but integers."""
    return (at - EPOCH) // MS


def instant(at_ms: int) -> datetime:
    """The instant that `epoch_ms` turned into a number."""
    return EPOCH + at_ms * MS


def _cut(
    stretches: Iterable[Stretch], since: datetime, to: datetime
) -> Iterator[Stretch]:
    for begins, ends in stretches:
        begins, ends = max(begins, since), min(ends, to)
        if begins < ends:
            yield begins, ends


def _merged(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Stretches in order and without overlap."""
    held: Stretch | None = None
    for begins, ends in sorted(stretches):
        if held is not None and begins <= held[1]:
            held = held[0], max(held[1], ends)
            continue
        if held is not None:
            yield held
        held = begins, ends
    if held is not None:
        yield held


def _without(
    stretches: Iterable[Stretch], outages: Sequence[Stretch]
) -> Iterator[Stretch]:
    for begins, ends in stretches:
        for from_at, to_at in _cut(outages, begins, ends):
            if begins < from_at:
                yield begins, from_at
            begins = to_at
        if begins < ends:
            yield begins, ends
