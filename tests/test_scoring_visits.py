"""From facts to visits and window sessions."""

from datetime import timedelta

import msgspec
import pytest

from floor import facts
from floor.catalogue import Hours
from floor.day import advance, setup_stream_of, stream_of
from floor.facts import Entry, Fact
from scoring.visits import HallDay, Visit, hall_days
from timeline import FloorDay


def the_day(floor: FloorDay) -> HallDay:
    [day] = hall_days(floor.entries)
    return day


def visits_of(floor: FloorDay, ticket: str) -> list[Visit]:
    return [visit for visit in the_day(floor).visits if visit.ticket == ticket]


def tell(floor: FloorDay, fact: Fact) -> int:
    """Let a fact happen that no command makes yet; gives its position."""
    position = floor.entries[-1].position + 1
    fact = msgspec.structs.replace(fact, position=position)
    if isinstance(fact, facts.CataloguePublished):
        stream = setup_stream_of(fact.catalogue.hall)
        version = sum(entry.stream == stream for entry in floor.entries) + 1
    else:
        date = floor.catalogue.business_date(fact.at)
        stream = stream_of(floor.catalogue.hall, date)
        version = floor.day.version + 1
    entry = Entry(stream, version, fact)
    floor.day = advance(floor.day, entry)
    floor.entries.append(entry)
    return position


def test_a_visit_keeps_each_moment_and_the_number_of_its_fact(floor: FloorDay) -> None:
    """
    08:58:00 opens 1 li
    09:00:00 takes zonghe
    09:04:00 calls 1
    09:04:30 recalls 1
    09:05:00 starts 1
    09:15:00 finishes 1
    09:15:05 invites 1
    09:15:20 rates A001 satisfied
    """
    [visit] = visits_of(floor, "A001")
    assert visit.leg == 1
    assert (visit.window, visit.clerk, visit.outcome) == ("1", "li", "done")
    assert visit.taken.position == floor.position_of(facts.TicketTaken)
    assert visit.rounds[0].called.at == floor.at("09:04:00")
    assert len(visit.rounds[0].recalls) == 1
    assert visit.rounds[0].answered == visit.started
    assert visit.ended is not None
    assert visit.ended.position == floor.position_of(facts.ServiceFinished)
    assert visit.level is facts.Level.SATISFIED


def test_a_transfer_begins_another_leg_and_the_wait_restarts(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:10:00 calls 1
    09:11:00 starts 1
    """
    moved = facts.TicketTransferred(
        at=floor.at("09:15:00"), ticket="A001", window="1", item="xuke"
    )
    position = tell(floor, moved)
    floor.play("09:30:00 opens 12\n09:31:00 calls 12")
    first, second = visits_of(floor, "A001")
    assert (first.outcome, first.leg, first.item) == ("transferred", 1, "zonghe")
    assert (second.leg, second.item, second.window) == (2, "xuke", "12")
    assert second.waits_from == floor.at("09:15:00")
    assert second.taken.position == position
    assert second.wait_ms_max == 1_800_000
    assert the_day(floor).sessions[0].free[-1].since.position == position


def test_a_requeued_ticket_stays_one_visit_with_two_rounds(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:10:00 calls 1
    09:12:00 no-show 1
    """
    tell(floor, facts.TicketRequeued(at=floor.at("09:20:00"), ticket="A001", place=0))
    floor.play("09:30:00 calls 1\n09:31:00 starts 1")
    [visit] = visits_of(floor, "A001")
    assert [call.no_show for call in visit.rounds] == [True, False]
    assert len(visit.in_line) == 2
    assert visit.outcome == ""


def test_a_ticket_put_further_back_has_been_waiting_all_along(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:00:10 takes zonghe
    """
    later = facts.TicketRequeued(at=floor.at("09:05:00"), ticket="A001", place=1)
    tell(floor, later)
    floor.play("09:10:00 calls 1\n09:11:10 no-show 1\n09:12:00 calls 1")
    [visit] = visits_of(floor, "A001")
    [stay] = visit.in_line
    assert stay.since.at == floor.at("09:00:00")
    assert stay.to is not None
    assert stay.to.at == floor.at("09:12:00")


def test_an_appointment_waits_from_its_slot_at_the_earliest(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    """
    checked = facts.AppointmentCheckedIn(
        at=floor.at("09:10:00"),
        ticket="A001",
        item="zonghe",
        booking="b1",
        slot_at=floor.at("09:30:00"),
    )
    tell(floor, checked)
    [visit] = visits_of(floor, "A001")
    assert visit.kind == "appointment"
    assert visit.waits_from == floor.at("09:30:00")


@pytest.mark.impossible
def test_an_implied_finish_is_told_from_the_clerks_own(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:10:00 calls 1
    09:11:00 starts 1
    """
    finished = facts.ServiceFinished(
        at=floor.at("09:20:00"), ticket="A001", window="1", implied=True
    )
    tell(floor, finished)
    [visit] = visits_of(floor, "A001")
    assert visit.implied
    assert visit.served


def test_a_session_tells_when_the_window_was_free_and_when_on_pause(
    floor: FloorDay,
) -> None:
    """
    08:55:00 opens 1 li
    09:00:00 takes zonghe
    09:10:00 calls 1
    09:11:00 starts 1
    09:20:00 finishes 1
    09:25:00 pauses 1 meeting
    09:40:00 resumes 1
    09:50:00 closes 1
    10:00:00 opens 1 wang
    """
    first, second = the_day(floor).sessions
    free = [(span.since.at, span.to and span.to.at) for span in first.free]
    assert free == [
        (floor.at("08:55:00"), floor.at("09:10:00")),
        (floor.at("09:20:00"), floor.at("09:25:00")),
        (floor.at("09:40:00"), floor.at("09:50:00")),
    ]
    [pause] = first.paused
    assert pause.since.at == floor.at("09:25:00")
    assert first.closed is not None
    assert (second.clerk, second.closed) == ("wang", None)


def test_closing_the_hall_ends_everything_that_is_open(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:00:01 takes zonghe
    09:00:02 takes zonghe
    09:10:00 calls 1
    09:12:00 no-show 1
    09:13:00 calls 1
    17:30:00 closes-hall
    """
    day = the_day(floor)
    closing = floor.position_of(facts.HallClosed)
    assert [visit.outcome for visit in day.visits] == ["no_show", "closed", "closed"]
    called, waiting = day.visits[1], day.visits[2]
    assert called.rounds[0].answered is not None
    assert called.rounds[0].answered.position == closing
    assert waiting.in_line[0].to is not None
    assert waiting.in_line[0].to.position == closing
    assert day.sessions[0].closed is not None


def test_days_come_apart_and_numbers_begin_again(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    17:00:00 closes-hall
    +1 09:00:00 takes zonghe
    """
    monday, tuesday = hall_days(floor.entries)
    assert (monday.date.day, tuesday.date.day) == (23, 24)
    assert [visit.ticket for visit in tuesday.visits] == ["A001"]
    assert monday.over_at == floor.at("09:00:00") + timedelta(days=1)
    assert tuesday.over_at is None


def test_a_ticket_keeps_the_promise_of_the_catalogue_it_was_taken_under(
    floor: FloorDay,
) -> None:
    """
    09:00:00 takes zonghe
    """
    items = tuple(
        msgspec.structs.replace(item, wait_s=60) for item in floor.catalogue.items
    )
    hours = Hours(open="08:00")
    stricter = msgspec.structs.replace(floor.catalogue, items=items, hours=hours)
    at = floor.at("09:30:00")
    tell(floor, facts.CataloguePublished(at=at, catalogue=stricter))
    floor.play("09:40:00 takes zonghe")
    day = the_day(floor)
    assert [visit.wait_ms_max for visit in day.visits] == [1_800_000, 60_000]
    assert day.catalogue == stricter


def test_tomorrows_catalogue_does_not_change_yesterdays_hours(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    17:00:00 closes-hall
    """
    later = msgspec.structs.replace(floor.catalogue, hours=Hours(open="08:00"))
    at = floor.at("07:00:00") + timedelta(days=1)
    tell(floor, facts.CataloguePublished(at=at, catalogue=later))
    floor.play("+1 09:00:00 takes zonghe")
    monday, tuesday = hall_days(floor.entries)
    assert monday.catalogue.hours.open == "09:00"
    assert tuesday.catalogue.hours.open == "08:00"


def test_a_log_that_begins_without_a_catalogue_is_refused(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    """
    with pytest.raises(ValueError, match="catalogue"):
        list(hall_days(floor.entries[1:]))
