"""Time that counts, and time that does not."""

from datetime import UTC, datetime, timedelta

import pytest

from scoring.hours import EPOCH, Hours, Stretch, epoch_ms, instant

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


def at(clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return MIDNIGHT + timedelta(hours=int(hours), minutes=int(minutes))


def spans(*clocks: str) -> list[Stretch]:
    return [(at(a), at(b)) for a, b in (clock.split("-") for clock in clocks)]


OPEN = spans("9:00-12:00", "13:30-17:00")


@pytest.mark.parametrize(
    ("outages", "since", "to", "minutes"),
    [
        ([], "8:00", "9:30", 30),
        ([], "11:50", "13:40", 20),
        ([], "12:00", "13:30", 0),
        ([], "16:50", "23:00", 10),
        ([], "10:00", "9:00", 0),
        (spans("9:10-9:20"), "9:00", "10:00", 50),
        (spans("8:00-9:20"), "9:00", "10:00", 40),
        (spans("9:10-9:50", "9:20-9:30"), "9:00", "10:00", 20),  # One in the other.
        (spans("9:20-9:40", "9:10-9:30"), "9:00", "10:00", 30),
        (spans("9:10-9:20", "9:30-9:40"), "9:00", "10:00", 40),
        (spans("9:00-17:00"), "9:00", "17:00", 0),
    ],
)
def test_open_time(outages: list[Stretch], since: str, to: str, minutes: int) -> None:
    hours = Hours(OPEN, outages)
    assert hours.open_ms(at(since), at(to)) == minutes * 60_000


def test_the_wall_clock_runs_through_lunch_and_not_through_an_outage() -> None:
    hours = Hours(OPEN, spans("12:30-12:50", "12:40-13:00"))
    assert hours.wall_ms(at("12:00"), at("14:00")) == 90 * 60_000


@pytest.mark.parametrize(
    ("since", "minutes", "reached"),
    [
        ("9:00", 60, "10:00"),
        ("8:00", 60, "10:00"),
        ("11:30", 30, "12:00"),
        ("11:30", 31, "13:31"),
        ("12:30", 1, "13:31"),
        ("16:30", 30, "17:00"),
        ("16:30", 31, None),
    ],
)
def test_when_so_much_open_time_has_passed(
    since: str, minutes: int, reached: str | None
) -> None:
    when = Hours(OPEN).when_open_ms(at(since), minutes * 60_000)
    assert when == (at(reached) if reached else None)


def test_a_day_off_has_no_open_time() -> None:
    hours = Hours([])
    assert hours.open_ms(at("9:00"), at("17:00")) == 0
    assert hours.when_open_ms(at("9:00"), 1) is None


def test_instants_as_whole_numbers() -> None:
    moment = MIDNIGHT + timedelta(milliseconds=1)
    assert instant(epoch_ms(moment)) == moment
    assert epoch_ms(EPOCH) == 0
