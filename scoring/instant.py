"""The instant a score is asked for (截至时刻), as a person writes it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from floor.refusals import Unusable

TEXT_MAX = 40  # The longest right one, with microseconds and offset, has 32.


class BadInstant(Unusable):
    """The text is no instant."""

    def __init__(self, text: str) -> None:
        shown = text[:TEXT_MAX]
        super().__init__(
            f"“{shown}”不是时刻，应如 2026-11-23 或 2026-11-23T12:00",
            f"{shown!r} is no instant; write 2026-11-23 or 2026-11-23T12:00",
        )


def parse_instant(text: str, zone: ZoneInfo) -> datetime:
    """An aware UTC instant from ISO text.

    A date alone means the end of that day; without an offset, the hall's own clock.

    Raises:
        BadInstant: it is neither.
    """
    text = text.strip()
    if len(text) > TEXT_MAX:
        raise BadInstant(text)
    try:
        at = _whole_day(text, zone) or datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInstant(text) from None


def _whole_day(text: str, zone: ZoneInfo) -> datetime | None:
    """The last millisecond of the day, when the text is a date and nothing more."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    midnight = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    return midnight - timedelta(milliseconds=1)
