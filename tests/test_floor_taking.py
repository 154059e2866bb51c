"""Taking tickets: numbers, hours, quotas, and how many one person may hold."""

from typing import Any

import msgspec
import pytest

from floor import facts
from floor.catalogue import Hours
from floor.practice import Booking, Calling, Ground, Taking
from timeline import SMALL, FloorDay, hall, items

# ── Numbers ─────────────────────────────────────────────────────────────────


def test_numbers_run_in_their_range_and_width_and_then_are_used_up() -> None:
    floor = hall(items=items(a={"first": 98, "last": 100, "digits": 4})).play(
        """
        09:00 takes a -> A0098
        09:00 takes b -> B001
        09:00 takes a -> A0099
        09:00 takes a -> A0100
        09:00 takes a ! NumbersExhausted
        09:00 takes b -> B002
        """
    )
    assert floor.day.issued == {"A": 100, "B": 2}


def test_numbers_grow_beyond_their_width() -> None:
    floor = hall(items=items(a={"first": 998})).play("09:00 takes a\n" * 3)
    assert list(floor.day.tickets) == ["A998", "A999", "A1000"]


def test_appointments_have_letters_and_a_range_of_their_own() -> None:
    floor = hall(
        items=items(a={"last": 2}, b={"booked_prefix": "YB"}),
        booking=Booking(quota=9),
    )
    floor.play(
        "08:00 books a 09:00\n08:00 books a 09:00\n08:00 books a 09:00\n"
        "08:00 books b 09:00"
    )
    floor.play(
        """
        09:00 takes a -> A001
        09:00 checks-in 20261123-001 -> AP001
        09:00 takes a -> A002
        09:00 takes a ! NumbersExhausted
        09:00 checks-in 20261123-002 -> AP002
        09:00 checks-in 20261123-003 ! NumbersExhausted
        09:00 checks-in 20261123-004 -> YB001
        """
    )


def test_a_range_that_a_new_catalogue_moves_up_is_used_from_its_beginning() -> None:
    floor = hall().play("09:00 takes a\n09:00 takes a")
    publish(floor, items=items(a={"first": 500, "last": 501, "day_quota": 4}))
    floor.play(
        """
        09:02 takes a -> A500
        09:02 takes a -> A501
        09:02 takes a ! DayFull
        """
    )
    publish(floor, items=items(a={"first": 1, "last": 400}))
    floor.play("09:04 takes a ! NumbersExhausted")


def publish(floor: FloorDay, **changes: Any) -> None:
    catalogue = msgspec.structs.replace(floor.day.catalogue, **changes)
    at = floor.day.last_at
    assert at is not None
    published = facts.CataloguePublished(at=at, catalogue=catalogue)
    floor.happen(published, floor.day.date)


@pytest.mark.parametrize(
    ("zone", "day_starts", "last", "first"),
    [
        ("Asia/Shanghai", "00:00", "23:59:59", "+1 00:00:00"),
        ("Asia/Shanghai", "03:30", "+1 03:29:59", "+1 03:30:00"),
        ("America/New_York", "00:00", "23:59:59", "+1 00:00:00"),
        ("Asia/Kathmandu", "05:45", "+1 05:44:59", "+1 05:45:00"),
    ],
)
def test_numbers_begin_again_on_the_day_of_the_hall(
    zone: str, day_starts: str, last: str, first: str
) -> None:
    catalogue = {"time_zone": zone, "hours": Hours(day_starts=day_starts)}
    floor = FloorDay(msgspec.structs.replace(SMALL, **catalogue))
    floor.play(f"12:00 takes a -> A001\n{last} takes a -> A002")
    assert floor.day.stream == "hall-1/2026-11-23"
    floor.play(f"{first} takes a -> A001")
    assert floor.day.stream == "hall-1/2026-11-24"


# ── Kinds ───────────────────────────────────────────────────────────────────


def test_the_ground_decides_the_kind_and_is_kept() -> None:
    grounds = (
        Ground(id="elder", name="老人", name_en="Elderly", kind="care"),
        Ground(id="soldier", name="军人", name_en="Soldiers", kind="priority"),
    )
    floor = hall(grounds=grounds).play(
        """
        09:00 takes a ground=elder
        09:00 takes a priority ground=elder
        09:00 takes a ground=soldier
        09:00 takes a priority
        """
    )
    kinds = [ticket.kind for ticket in floor.day.tickets.values()]
    assert kinds == ["care", "care", "priority", "priority"]
    taken = floor.facts(facts.TicketTaken)
    assert [fact.ground for fact in taken] == ["elder", "elder", "soldier", ""]


# ── Hours ───────────────────────────────────────────────────────────────────

LUNCH = Hours(lunch=("12:00", "13:30"))


def test_no_tickets_outside_the_hours_or_during_lunch_but_from_the_staff() -> None:
    hall(hours=LUNCH, taking=Taking(hours_only=True)).play(
        """
        08:59:59 takes a ! OutsideHours
        08:59:59 takes a channel=staff -> A001
        09:00:00 takes a -> A002
        11:59:59 takes a -> A003
        12:00:00 takes a ! OutsideHours
        12:00:00 takes a channel=staff -> A004
        13:29:59 takes a channel=phone ! OutsideHours
        13:30:00 takes a -> A005
        16:59:59 takes a -> A006
        17:00:00 takes a ! OutsideHours
        17:00:00 takes a channel=staff -> A007
        """
    )


def test_no_tickets_on_a_day_on_which_the_hall_does_not_open() -> None:
    demands = Taking(hours_only=True)
    floor = hall(hours=Hours(days=("tue",)), taking=demands)
    floor.play("10:00 takes a ! OutsideHours\n+1 10:00 takes a -> A001")


def test_no_tickets_so_shortly_before_the_hall_closes_but_from_the_staff() -> None:
    hall(hours=LUNCH, taking=Taking(stop_before_close_s=900)).play(
        """
        08:00:00 takes a -> A001
        11:50:00 takes a -> A002
        12:30:00 takes a -> A003
        16:44:59 takes a -> A004
        16:45:00 takes a ! TooLateToday
        16:45:00 takes a channel=staff -> A005
        17:30:00 takes a ! TooLateToday
        """
    )


def test_where_nothing_is_demanded_tickets_are_taken_at_any_hour() -> None:
    hall(hours=LUNCH).play("03:00 takes a\n12:30 takes a\n23:00 takes a -> A003")


# ── Quotas ──────────────────────────────────────────────────────────────────


def test_a_slot_takes_so_many_and_the_next_slot_as_many_again() -> None:
    hall(items=items(a={"slot_quota": 2}), taking=Taking(slot_s=1800)).play(
        """
        09:00:00 takes a
        09:29:59 takes a
        09:29:59 takes a channel=staff ! SlotFull
        09:29:59 takes b -> B001
        09:30:00 takes a -> A003
        09:31:00 abandons A003
        09:31:00 takes a -> A004
        09:59:59 takes a ! SlotFull
        10:00:00 takes a -> A005
        """
    )


def test_slots_are_those_of_the_clock_of_the_hall() -> None:
    """Half an hour beside the full hours of UTC; a day that begins at 05:15."""
    catalogue = msgspec.structs.replace(
        SMALL,
        time_zone="Asia/Kolkata",
        hours=Hours(day_starts="05:15"),
        items=items(a={"slot_quota": 1}),
    )
    FloorDay(catalogue).play(
        """
        09:14:59 takes a
        09:15:00 takes a
        10:14:59 takes a ! SlotFull
        10:15:00 takes a -> A003
        """
    )


def test_a_day_takes_so_many_without_an_appointment() -> None:
    demands = {"items": items(a={"day_quota": 2}), "booking": Booking(quota=9)}
    hall(**demands).play(
        """
        08:00 books a 09:00
        08:00 books a 09:30
        09:00 checks-in 20261123-001 -> AP001
        09:01 takes a -> A001
        10:00 checks-in 20261123-002 -> A002
        10:01 takes a -> A003
        10:02 takes a ! DayFull
        10:02 takes b -> B001
        +1 10:02 takes a -> A001
        """
    )


def test_an_item_on_pause_gives_no_tickets_and_serves_those_who_wait() -> None:
    floor = hall().play("09:00 opens 1\n09:00 takes a")
    publish(floor, items=items(a={"paused": True}))
    floor.play("09:01 takes a ! ItemPaused\n09:01 takes a channel=staff ! ItemPaused")
    floor.play("09:02 calls 1 -> A001 first 0")


# ── Persons ─────────────────────────────────────────────────────────────────


def test_one_person_holds_one_open_ticket_of_an_item() -> None:
    """一证一号: until it is over, and whoever else may."""
    hall().play(
        """
        09:00 opens 1
        09:00 takes a person=1 -> A001
        09:00 takes a person=1 ! TicketInHand
        09:00 takes a person=2 -> A002
        09:00 takes b person=1 -> B001
        09:00 takes a -> A003
        09:00 takes a -> A004
        09:01 calls 1 -> A001
        09:01 takes a person=1 ! TicketInHand
        09:01 starts 1
        09:01 holds 1
        09:01 takes a person=1 ! TicketInHand
        09:02 returns 1
        09:02 finishes 1
        09:02 takes a person=1 -> A005
        """
    )


def test_or_as_many_as_the_hall_allows() -> None:
    hall(taking=Taking(open_per_item=2)).play(
        """
        09:00 takes a person=1
        09:00 takes a person=1 -> A002
        09:00 takes a person=1 ! TicketInHand
        09:01 abandons A001
        09:01 takes a person=1 -> A003
        """
    )


def test_one_person_holds_so_many_open_tickets_and_takes_so_many_in_a_day() -> None:
    hall(taking=Taking(open_max=2, day_max=3)).play(
        """
        09:00 takes a person=1
        09:00 takes b person=1
        09:00 takes c person=1 ! TooManyOpen
        09:00 takes c person=2 -> C001
        09:01 abandons A001
        09:01 takes c person=1 -> C002
        09:02 abandons B001
        09:02 abandons C002
        09:02 takes b person=1 ! TooManyToday
        09:02 takes b -> B002
        +1 09:00 takes b person=1 -> B001
        """
    )


def test_coming_back_is_no_way_to_a_second_open_ticket() -> None:
    floor = hall(calling=Calling(return_place=0)).play(
        """
        09:00 opens 1
        09:00 takes a person=1
        09:01 calls 1
        09:01 no-show 1
        09:02 takes a person=1 -> A002
        09:03 requeues A001 ! TicketInHand
        09:04 abandons A002
        09:04 requeues A001 -> A001
        """
    )
    assert floor.states() == {"A001": "waiting", "A002": "abandoned"}
    hall(taking=Taking(open_max=1)).play(
        """
        09:00 opens 1
        09:00 takes a person=1
        09:01 calls 1
        09:01 no-show 1
        09:02 takes b person=1
        09:03 requeues A001 ! TooManyOpen
        """
    )


def test_where_an_identity_is_demanded_nobody_is_nameless() -> None:
    """实名取号, at the desk as well."""
    floor = hall(taking=Taking(person_required=True)).play(
        """
        09:00 takes a ! IdentityNeeded
        09:00 takes a channel=staff ! IdentityNeeded
        09:00 takes a person=1 -> A001
        """
    )
    assert floor.day.persons == {"1" * 32: ["A001"]}


def test_an_appointment_of_today_is_checked_in_and_not_taken_once_more() -> None:
    demands = {"booking": Booking(quota=9, missed_max=0)}
    hall(**demands).play(
        """
        08:00 books a 09:00 person=1
        08:00 books a +1/09:00 person=2
        08:30 takes a person=1 ! BookedAlready
        08:30 takes b person=1 -> B001
        08:30 takes a person=2 -> A001
        08:30 takes a -> A002
        08:31 checks-in 20261123-001 -> AP001
        08:32 takes a person=1 ! TicketInHand
        08:33 abandons AP001
        08:34 takes a person=1 -> A003
        """
    )


def test_a_new_length_of_the_slots_counts_those_taken_before() -> None:
    floor = hall(items=items(a={"slot_quota": 2}), taking=Taking(slot_s=1800))
    floor.play("09:00 takes a\n09:10 takes a\n09:20 takes a ! SlotFull")
    publish(floor, taking=Taking(slot_s=3600))
    floor.play("09:59 takes a ! SlotFull\n10:00 takes a\n18:00 takes a -> A004")
    publish(floor, taking=Taking(slot_s=300))
    floor.play("18:01 takes a -> A005\n18:02 takes a ! SlotFull\n18:05 takes a -> A006")
