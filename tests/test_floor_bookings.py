"""Appointments: booking, cancelling, checking in."""

import msgspec
import pytest

from floor import facts
from floor.catalogue import Hours
from floor.practice import Booking, CallPolicy, Standing, Taking
from timeline import hall, items

TWO = Booking(quota=2)
LUNCH = Hours(lunch=("12:00", "13:15"))


# ── Booking ─────────────────────────────────────────────────────────────────


def test_a_booking_has_the_number_of_its_day_and_goes_to_the_quarter() -> None:
    floor = hall(booking=Booking(quota=9)).play(
        """
        20:00 books a +1/09:00 person=1 -> 20261124-001
        20:00 books b +1/09:30 -> 20261124-002
        20:01 cancels 20261124-001
        20:02 books a +2/09:00 -> 20261125-001
        20:02 books a +1/09:00 -> 20261124-003
        """
    )
    streams = {entry.stream for entry in floor.entries[1:]}
    assert streams == {"hall-1/2026-Q4"}
    assert [entry.version for entry in floor.entries[1:]] == [1, 2, 3, 4, 5]
    assert floor.day.version == 0
    states = {b.id[-5:]: b.state for b in floor.day.bookings.by_id.values()}
    assert states == {"4-001": "cancelled", "4-002": "booked", "5-001": "booked",
                      "4-003": "booked"}  # fmt: skip


def test_a_slot_takes_so_many_and_a_cancelled_place_is_free_again() -> None:
    hall(booking=TWO, items=items(b={"booking_quota": 1}, c={"booking_quota": 0})).play(
        """
        08:00 books a +1/09:00
        08:00 books a +1/09:00
        08:00 books a +1/09:00 ! SlotFull
        08:00 books a +1/09:30 -> 20261124-003
        08:00 books b +1/09:00 -> 20261124-004
        08:00 books b +1/09:00 ! SlotFull
        08:00 books c +1/09:00 ! NoBooking
        08:01 cancels 20261124-001
        08:01 books a +1/09:00 -> 20261124-005
        """
    )


def test_an_item_may_be_booked_where_the_hall_books_nothing_else() -> None:
    hall(items=items(a={"booking_quota": 1}), booking=Booking(quota=0)).play(
        "08:00 books a 09:00 -> 20261123-001\n08:00 books b 09:00 ! NoBooking"
    )


def test_an_item_on_pause_is_not_booked_but_who_has_booked_may_come() -> None:
    floor = hall(booking=TWO).play("08:00 books a 09:00")
    floor.happen(
        facts.CataloguePublished(
            at=floor.at("08:01"),
            catalogue=msgspec.structs.replace(
                floor.catalogue, items=items(a={"paused": True})
            ),
        ),
        floor.day.date,
    )
    floor.play("08:02 books a 09:30 ! NoBooking\n08:50 checks-in 20261123-001")


@pytest.mark.parametrize(
    ("slot", "code"),
    [
        ("09:00", ""),
        ("11:30", ""),
        ("11:45", "NoSuchSlot"),  # Not on the half hour.
        ("12:00", "NoSuchSlot"),  # Lunch.
        ("13:00", "NoSuchSlot"),
        ("13:15", ""),  # Slots begin again after lunch.
        ("16:15", ""),
        ("16:45", "NoSuchSlot"),  # Would end after closing.
        ("08:30", "NoSuchSlot"),
        ("17:00", "NoSuchSlot"),
        ("09:00:01", "NoSuchSlot"),
        ("08:00", "NoSuchSlot"),  # It is past.
        ("-3/09:00", "NoSuchSlot"),
        ("+4/09:00", ""),  # Friday.
        ("+5/09:00", "NoSuchSlot"),  # Closed on Saturday.
        ("+7/09:00", ""),
        ("+8/09:00", "NoSuchSlot"),  # Too far ahead.
    ],
)
def test_a_slot_fits_the_hours_and_lies_ahead_but_not_too_far(
    slot: str, code: str
) -> None:
    floor = hall(booking=TWO, hours=LUNCH)
    floor.play(f"08:00 books a {slot}" + (f" ! {code}" if code else ""))


def test_a_slot_that_has_begun_is_not_booked() -> None:
    hall(booking=Booking(quota=1, ahead_days=0)).play(
        """
        09:00 books a 09:00 ! NoSuchSlot
        08:59:59 books a 09:00
        09:00 books a 09:30
        09:00 books a +1/09:30 ! NoSuchSlot
        """
    )


def test_today_is_not_booked_when_the_hall_is_closed_but_tomorrow_is() -> None:
    hall(booking=TWO).play(
        """
        10:00 closes-hall emergency
        10:01 books a 14:00 ! HallIsClosed
        10:01 books a +1/14:00 -> 20261124-001
        10:02 reopens-hall
        10:03 books a 14:00 -> 20261123-001
        """
    )


# ── Persons ─────────────────────────────────────────────────────────────────


def test_a_person_has_one_open_booking_of_an_item_and_day() -> None:
    hall(booking=Booking(quota=9)).play(
        """
        08:00 books a 09:00 person=1
        08:00 books a 10:00 person=1 ! BookedAlready
        08:00 books a 10:00 person=2
        08:00 books a 10:00
        08:00 books b 09:00 person=1
        08:00 books a +1/09:00 person=1
        08:50 checks-in 20261123-001
        09:00 books a 14:00 person=1 -> 20261123-005
        """
    )


def test_a_person_books_an_item_on_one_day_so_often_and_no_more() -> None:
    hall(booking=Booking(quota=9, same_item_max=2, cancel_before_s=0)).play(
        """
        08:00 books a 09:00 person=1
        08:01 cancels 20261123-001
        08:02 books a 09:30 person=1
        08:03 cancels 20261123-002
        08:04 books a 10:00 person=1 ! BookedTooOften
        08:04 books b 10:00 person=1
        08:04 books a +1/10:00 person=1
        """
    )


def test_where_an_identity_is_demanded_a_booking_needs_one_too() -> None:
    floor = hall(booking=TWO, taking=Taking(person_required=True))
    floor.play("08:00 books a 09:00 ! IdentityNeeded\n08:00 books a 09:00 person=1")


# ── Cancelling ──────────────────────────────────────────────────────────────


def test_a_booking_is_cancelled_in_time_or_not_at_all() -> None:
    hall(booking=Booking(quota=9, cancel_before_s=3600)).play(
        """
        08:00 books a 10:00
        08:00 books a 10:00
        09:00:00 cancels 20261123-001 -> 20261123-001
        09:00:01 cancels 20261123-002 ! CancelledTooLate
        09:00:01 cancels 20261123-001 ! BookingOver
        09:00:01 cancels 20261123-009 ! UnknownBooking
        """
    )


# ── Checking in ─────────────────────────────────────────────────────────────

BOOKED = "08:00 opens 1\n08:00 books a 10:00 person=1\n"


@pytest.mark.parametrize(
    ("clock", "ticket", "kind", "due"),
    [
        ("08:00:00", "AP001", "appointment", "09:45"),  # Far too early.
        ("09:45:00", "AP001", "appointment", "09:45"),
        ("10:00:00", "AP001", "appointment", "09:45"),
        ("10:15:00", "AP001", "appointment", "09:45"),
        ("10:15:01", "A001", "normal", "10:05:01"),  # Late: a walk-in with credit.
        ("11:00:00", "A001", "normal", "10:50:00"),
    ],
)
def test_a_booking_counts_in_the_line_from_its_slot(
    clock: str, ticket: str, kind: str, due: str
) -> None:
    floor = hall(booking=TWO).play(BOOKED)
    floor.play(f"{clock} checks-in 20261123-001 -> {ticket}")
    (fact,) = floor.facts(facts.AppointmentCheckedIn)
    assert (fact.due_at, fact.late) == (floor.at(due), kind == "normal")
    known = floor.day.tickets[ticket]
    assert (known.kind, known.stand.kind) == (kind, kind)
    assert known.person == "1" * 32
    assert known.taken_at == floor.at(clock)
    floor.play(f"{clock} checks-in 20261123-001 ! BookingOver")


def test_who_comes_in_time_goes_before_walk_ins_who_came_within_the_early_time() -> (
    None
):
    hall(booking=TWO).play(
        f"""{BOOKED}
        08:00 opens 3
        09:44 takes a
        09:46 takes a
        10:10 checks-in 20261123-001
        10:11 calls 1 -> A001 first 0
        10:11 calls 3 -> AP001 booked 0
        10:12 no-show 1
        10:12 calls 1 -> A002 first 0
        """
    )


def test_who_comes_early_waits_for_the_slot_unless_nobody_else_does() -> None:
    lines = f"{BOOKED}\n08:01 checks-in 20261123-001\n"
    hall(booking=TWO).play(
        f"{lines}09:40 takes a\n09:41 calls 1 -> A001 first 0\n09:42 no-show 1\n"
        "09:43 calls 1 -> AP001 first 0"
    )
    hall(booking=TWO).play(f"{lines}09:50 takes a\n09:51 calls 1 -> AP001 first 0")


def test_who_is_late_has_the_credit_and_is_overtaken_by_earlier_ones() -> None:
    hall(booking=Booking(quota=1, grace_s=600, late_credit_s=300)).play(
        f"""{BOOKED}
        10:14 takes a
        10:16 takes a
        10:20 checks-in 20261123-001 -> A003
        10:21 calls 1 -> A001 first 0
        10:21 no-show 1
        10:21 calls 1 -> A003 booked 0
        """
    )


def test_being_late_is_never_worth_more_than_coming_in_time() -> None:
    floor = hall(booking=Booking(quota=1, early_s=60, grace_s=0, late_credit_s=3600))
    floor.play(f"{BOOKED}\n10:00:01 checks-in 20261123-001 -> A001")
    (fact,) = floor.facts(facts.AppointmentCheckedIn)
    assert fact.due_at == floor.at("09:59")


def test_an_appointment_is_a_kind_for_the_policy_unless_it_is_late() -> None:
    policy = CallPolicy(name="strict", appointment=Standing(rank=1))
    hall(booking=TWO, policy=policy).play(
        f"""{BOOKED}
        08:00 books a 10:00
        09:00 takes a
        10:00 checks-in 20261123-002
        10:16 checks-in 20261123-001 -> A002
        10:17 calls 1 -> AP001 kind 1
        10:17 no-show 1
        10:17 calls 1 -> A001 first 0
        """
    )


def test_a_booking_leads_through_the_steps_of_its_item() -> None:
    floor = hall(booking=TWO, items=items(a={"then": ("b",)})).play(
        f"{BOOKED}\n10:00 checks-in 20261123-001\n10:01 calls 1\n10:02 starts 1\n"
        "10:03 finishes 1"
    )
    assert floor.line("b") == ["AP001"]


def test_a_check_in_makes_no_second_open_ticket_of_the_item() -> None:
    floor = hall(booking=TWO).play(
        f"""09:00 takes a person=1
        {BOOKED}
        10:00 checks-in 20261123-001 ! TicketInHand
        10:01 abandons A001
        10:01 checks-in 20261123-001 -> AP001
        """.replace("08:00", "09:01")
    )
    assert list(floor.day.tickets) == ["A001", "AP001"]


def test_a_booking_is_checked_in_on_its_day_while_the_hall_is_open() -> None:
    hall(booking=TWO).play(
        """
        08:00 books a +1/10:00
        08:00 books a 10:00
        08:01 checks-in 20261124-001 ! NotToday
        09:00 closes-hall
        09:01 checks-in 20261123-001 ! HallIsClosed
        +1 09:00 checks-in 20261123-001 ! BookingOver
        +1 09:00 cancels 20261123-001 ! BookingOver
        +1 09:00 checks-in 20261124-001 -> AP001
        """
    )


def test_those_not_due_yet_do_not_hold_up_who_is_put_behind_them() -> None:
    """Nobody waits for the slot of a visitor who came an hour early."""
    floor = hall(booking=TWO).play(
        f"""{BOOKED}
        08:01 takes a
        08:02 checks-in 20261123-001
        08:03 calls 1 -> A001
        08:04 no-show 1
        08:05 requeues A001
        08:06 takes a
        08:07 takes a
        08:08 defers A001
        08:09 takes a
        """
    )
    assert floor.line("a") == ["A002", "A003", "A001", "A004", "AP001"]
    floor.play("08:10 defers AP001 ! NotDueYet\n09:45 defers AP001")
