"""The streams of a hall's log: one a business day, and those that outlive a day."""

import re
from datetime import date

from floor import facts
from floor.facts import Fact

DAY = re.compile(r"[^/]+/[0-9]{4}-[0-9]{2}-[0-9]{2}")

#: What a quarter remembers and no single day could.
OF_QUARTER = (
    facts.AppointmentBooked,
    facts.AppointmentCancelled,
    facts.AppointmentMissed,
)

#: What is not written to a day's stream.
OUTSIDE_DAYS = frozenset({facts.CataloguePublished, *OF_QUARTER})


def stream_of(hall: str, date: date) -> str:
    """Name of a business day's stream: `hall-1/2026-11-22`."""
    return f"{hall}/{date.isoformat()}"


def setup_stream_of(hall: str) -> str:
    """Name of the stream of a hall's published catalogues: `hall-1/setup`."""
    return f"{hall}/setup"


def quarter_stream_of(hall: str, date: date) -> str:
    """Name of the stream of what outlives a day: `hall-1/2026-Q4`."""
    return f"{hall}/{date.year:04d}-Q{(date.month + 2) // 3}"


def stream_for(fact: Fact, hall: str, date: date) -> str:
    """The stream that a fact of this business day is written to."""
    if isinstance(fact, facts.CataloguePublished):
        return setup_stream_of(hall)
    if isinstance(fact, OF_QUARTER):
        return quarter_stream_of(hall, date)
    return stream_of(hall, date)


def is_day(stream: str) -> bool:
    """Whether a stream is that of one business day."""
    return DAY.fullmatch(stream) is not None
