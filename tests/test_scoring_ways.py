"""Each way a hall moves a ticket, as the assessment sees it: legs, holds, moves."""

from datetime import timedelta

import msgspec

from floor import commands, facts
from floor.catalogue import Catalogue, load
from scoring.hours import Hours
from scoring.observations import Measure, Observation, observe
from scoring.visits import HallDay, Visit, hall_days
from timeline import SAMPLE, FloorDay


def the_day(floor: FloorDay) -> HallDay:
    [day] = hall_days(floor.entries)
    return day


def visits_of(floor: FloorDay, ticket: str) -> list[Visit]:
    return [visit for visit in the_day(floor).visits if visit.ticket == ticket]


def observed(floor: FloorDay, measure: Measure) -> list[Observation]:
    until = floor.at("20:00:00")
    return [o for o in observe(the_day(floor), until) if o.measure is measure]


def with_window_items(window: str, *items: str) -> Catalogue:
    catalogue = load(SAMPLE)
    windows = tuple(
        msgspec.structs.replace(w, items=items) if w.id == window else w
        for w in catalogue.windows
    )
    return msgspec.structs.replace(catalogue, windows=windows)


def test_time_on_hold_is_no_service_time(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:00 starts 1
    09:05:00 holds 1
    09:25:00 returns 1
    09:29:00 finishes 1
    """
    [visit] = visits_of(floor, "A001")
    assert len(visit.held) == 1
    [service] = observed(floor, Measure.SERVICE)
    assert service.value == timedelta(minutes=7).total_seconds() * 1000
    held = floor.position_of(facts.TicketHeld)
    back = floor.position_of(facts.TicketReturned)
    assert {held, back} <= set(service.evidence)


def test_while_a_ticket_is_on_hold_the_window_is_free_for_others(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:01:00 calls 1
    09:02:00 starts 1
    09:05:00 holds 1
    09:05:10 takes zonghe
    09:06:00 calls 1
    09:07:00 starts 1
    09:08:00 finishes 1
    09:09:00 returns 1 A001
    """
    [session] = the_day(floor).sessions
    assert session.state == "busy"
    assert [(s.since.at, s.to and s.to.at) for s in session.free] == [
        (floor.at("09:00:00"), floor.at("09:01:00")),
        (floor.at("09:05:00"), floor.at("09:06:00")),
        (floor.at("09:08:00"), floor.at("09:09:00")),
    ]


def test_a_call_taken_back_is_no_call_and_the_wait_goes_on(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 takes zonghe
    09:10:00 calls 1
    09:10:05 undoes 1
    09:20:00 calls 1
    09:21:00 starts 1
    """
    [visit] = visits_of(floor, "A001")
    [call] = visit.rounds
    assert call.called.at == floor.at("09:20:00")
    assert len(visit.in_line) == 1
    [wait] = observed(floor, Measure.WAIT)
    assert wait.value == timedelta(minutes=20).total_seconds() * 1000


def test_each_item_of_a_visit_is_a_leg_of_its_own(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 12
    09:00:00 takes zonghe
    09:04:00 calls 1
    09:05:00 starts 1
    """
    finish = commands.FinishService(window="1", item="xuke")
    floor.do(finish, floor.at("09:10:00"))
    floor.play("09:13:00 calls 12\n09:14:00 starts 12\n09:30:00 finishes 12")
    first, second = visits_of(floor, "A001")
    assert (first.item, first.leg, first.outcome) == ("zonghe", 1, "done")
    assert (second.item, second.leg, second.outcome) == ("xuke", 2, "done")
    waits = {o.item: o.value for o in observed(floor, Measure.WAIT)}
    assert waits == {"zonghe": 240_000, "xuke": 180_000}


def test_a_transfer_to_a_window_is_a_leg_and_its_wait_restarts(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 2
    09:00:00 takes zonghe
    09:04:00 calls 1
    """
    sent = commands.TransferTicket(window="1", to_window="2")
    floor.do(sent, floor.at("09:05:00"))
    floor.play("09:07:00 calls 2")
    first, second = visits_of(floor, "A001")
    assert (first.outcome, second.window) == ("transferred", "2")
    assert [o.value for o in observed(floor, Measure.WAIT)] == [240_000, 120_000]


def test_what_a_closing_window_gives_back_waits_on(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 2
    09:00:00 takes zonghe
    09:04:00 calls 1
    09:05:00 starts 1
    """
    close = commands.CloseWindow(window="1", give_back=True)
    floor.do(close, floor.at("09:06:00"))
    floor.play("09:07:00 calls 2\n09:08:00 starts 2\n09:18:00 finishes 2")
    [visit] = visits_of(floor, "A001")
    assert [call.window for call in visit.rounds] == ["1", "2"]
    [service] = observed(floor, Measure.SERVICE)
    assert (service.window, service.value) == ("2", 600_000)


def test_a_clerk_who_changes_the_window_keeps_the_visitor(floor: FloorDay) -> None:
    """
    09:00:00 opens 1 li
    09:00:00 takes zonghe
    09:04:00 calls 1
    09:05:00 starts 1
    09:06:00 moves 1 2
    09:20:00 finishes 2
    """
    left, joined = the_day(floor).sessions
    assert left.closed == joined.opened
    assert (left.window, joined.window, joined.clerk) == ("1", "2", "li")
    assert joined.state == "free"
    [visit] = visits_of(floor, "A001")
    assert visit.outcome == "done"


def test_a_window_that_gains_an_item_answers_for_it_from_then_on() -> None:
    floor = FloorDay().play("09:00:00 opens 11\n09:00:00 takes huji")
    publish = commands.PublishCatalogue(
        catalogue=with_window_items("11", "churujing", "huji")
    )
    floor.do(publish, floor.at("09:30:00"))
    before, after = the_day(floor).sessions
    assert before.items == ("churujing",)
    assert after.items == ("churujing", "huji")
    assert before.closed == after.opened
    [idle] = observed(floor, Measure.IDLE_WITH_LINE)
    hours = Hours(floor.catalogue.open_spans(floor.day.date), ())
    since, until = floor.at("09:30:00"), floor.at("20:00:00")
    assert idle.value == hours.open_ms(since, until)


def test_bookings_do_not_disturb_the_days_of_the_hall() -> None:
    catalogue = load(SAMPLE)
    booking = msgspec.structs.replace(catalogue.booking, quota=2)
    floor = FloorDay(msgspec.structs.replace(catalogue, booking=booking))
    floor.play("09:00:00 opens 1")
    book = commands.BookAppointment(item="zonghe", slot_at=floor.at("10:00:00"))
    booked = floor.do(book, floor.at("09:00:30"))
    assert isinstance(booked, facts.AppointmentBooked)
    floor.play(f"09:50:00 checks-in {booked.booking}\n10:05:00 calls 1")
    [visit] = visits_of(floor, "AP001")
    assert visit.kind == "appointment"
    assert visit.waits_from == floor.at("10:00:00")
    [wait] = observed(floor, Measure.WAIT)
    assert wait.value == 300_000
