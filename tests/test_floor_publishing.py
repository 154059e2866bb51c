"""A new catalogue in the middle of the day."""

from typing import Any

import msgspec
import pytest

from floor import commands, facts, refusals
from floor.catalogue import Catalogue, Hours, Item, Window
from floor.practice import Booking, Calling, CallPolicy, Standing
from timeline import SMALL, FloorDay, hall, items, windows


def publish(floor: FloorDay, clock: str, **changes: Any) -> facts.Fact:
    """What the manager publishes: the catalogue in force with some of it changed."""
    catalogue = msgspec.structs.replace(floor.day.catalogue, **changes)
    return floor.do(commands.PublishCatalogue(catalogue=catalogue), floor.at(clock))


def without(item: str, window: str = "") -> dict[str, Any]:
    """The small hall less one item, and perhaps one window."""
    return {
        "items": tuple(known for known in SMALL.items if known.id != item),
        "windows": tuple(
            msgspec.structs.replace(
                known, items=tuple(id for id in known.items if id != item)
            )
            for known in SMALL.windows
            if known.id != window
        ),
    }


def test_a_window_gains_an_item_and_calls_it_at_once() -> None:
    floor = hall().play("09:00 opens 1\n09:00 takes c\n09:01 calls 1 ! NobodyWaiting")
    publish(floor, "09:02", windows=windows(w1={"items": ("a", "b", "c")}))
    assert floor.entries[-1].stream == "hall-1/setup"
    assert floor.entries[-1].version == 2
    assert floor.day.places["1"].items == ("a", "b", "c")
    floor.play("09:03 calls 1 -> C001 first 0")


def test_a_window_that_loses_an_item_finishes_whom_it_has_and_calls_no_more() -> None:
    floor = hall().play(
        "09:00 opens 1\n09:00 opens 2\n09:00 takes b\n09:00 takes b\n09:01 calls 1"
    )
    publish(floor, "09:02", windows=windows(w1={"items": ("a",)}))
    floor.play(
        """
        09:03 starts 1
        09:04 finishes 1 -> B001
        09:05 calls 1 ! NobodyWaiting
        09:05 calls 1 B002 ! ItemNotAtWindow
        09:05 calls 2 -> B002
        """
    )


def test_a_new_item_and_a_new_window_are_there_at_once() -> None:
    floor = hall().play("09:00 takes a")
    item = Item(id="d", name="丁", name_en="D", prefix="D")
    window = Window(id="4", name="四", name_en="4", department="x", items=("d",))
    changes: dict[str, Any] = {
        "items": (*SMALL.items, item),
        "windows": (*SMALL.windows, window),
    }
    floor.play("09:01 takes d ! UnknownItem\n09:01 opens 4 ! UnknownWindow")
    publish(floor, "09:02", **changes)
    floor.play("09:03 takes d -> D001\n09:03 opens 4\n09:04 calls 4 -> D001")
    assert floor.line("a") == ["A001"]


def test_a_new_policy_holds_from_the_next_call_on() -> None:
    floor = hall().play(
        "09:00 opens 1\n09:00 opens 3\n09:00 takes a\n09:01 takes a\n"
        "09:02 takes a care\n09:03 calls 1 -> A001 first 0"
    )
    strict = CallPolicy(name="strict", care=Standing(rank=1))
    publish(floor, "09:04", policy=strict, calling=Calling(undo_s=0))
    floor.play("09:04 calls 3 -> A003 kind 1\n09:04 undoes 3 ! UndoneTooLate")


def test_an_item_in_use_cannot_go_and_one_that_is_not_can() -> None:
    floor = hall().play(
        "09:00 opens 1\n09:00 takes a\n09:00 takes c then=b\n09:01 calls 1"
    )
    for lines in ("", "09:02 starts 1", "09:02 holds 1"):
        floor.play(lines)
        refused(floor, "09:03", refusals.ItemStillWanted, **without("a"))
    floor.play("09:04 returns 1\n09:04 finishes 1")
    publish(floor, "09:05", **without("a"))
    floor.play("09:06 takes a ! UnknownItem\n09:06 calls 1 ! NobodyWaiting")
    # A step on somebody's way may go; the way leads past it.
    publish(floor, "09:07", **without("b", window="2") | {"items": SMALL.items[::2]})
    floor.play("09:08 opens 3\n09:08 calls 3 -> C001\n09:08 starts 3\n09:08 finishes 3")
    assert floor.states()["C001"] == "served"


def test_a_step_that_went_leads_on_to_the_one_behind_it() -> None:
    floor = hall().play("09:00 opens 3\n09:00 takes c then=b,a,c\n09:01 calls 3")
    publish(floor, "09:02", **without("b", window="2"))
    floor.play("09:03 starts 3\n09:04 finishes 3")
    ticket = floor.day.tickets["C001"]
    assert (ticket.item, ticket.then) == ("a", ("c",))


def test_a_no_show_of_an_item_that_is_gone_does_not_come_back() -> None:
    floor = hall().play("09:00 opens 1\n09:00 takes b\n09:01 calls 1\n09:02 no-show 1")
    publish(floor, "09:03", **without("b", window="2"))
    floor.play("09:04 requeues B001 ! UnknownItem")


def test_whoever_booked_an_item_that_is_gone_has_missed_nothing() -> None:
    floor = hall(booking=Booking(quota=1))
    floor.play("08:00 opens 1\n08:00 books b 09:00\n08:00 books a 09:00")
    publish(floor, "08:01", **without("b", window="2"))
    floor.play("09:00 checks-in 20261123-001 ! UnknownItem\n17:00 closes-hall")
    missed = floor.facts(facts.AppointmentMissed)
    assert [fact.booking for fact in missed] == ["20261123-002"]


def test_a_window_that_is_open_cannot_go_and_a_closed_one_can() -> None:
    floor = hall().play("09:00 opens 2")
    less = {"windows": (SMALL.windows[0], SMALL.windows[2])}
    refused(floor, "09:01", refusals.WindowStillOpen, **less)
    floor.play("09:02 closes 2")
    publish(floor, "09:03", **less)
    floor.play("09:04 opens 2 ! UnknownWindow\n09:04 moves 2 3 ! UnknownWindow")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Asia/Urumqi"}, "time_zone"),
        # At 09:00 it would still be yesterday.
        ({"hours": Hours(day_starts="10:00")}, "day_starts"),
    ],
)
def test_a_catalogue_that_would_end_the_day_is_refused(
    changes: dict[str, Any], field: str
) -> None:
    floor = hall().play("09:00 takes a")
    refusal = refused(floor, "09:00", refusals.BadInput, **changes)
    assert refusal.field == field
    publish(floor, "09:01", hours=Hours(day_starts="04:00"))
    floor.play("+1 03:59 takes a -> A002\n+1 04:00 takes a -> A001")


def test_the_evening_may_not_be_made_tomorrow() -> None:
    floor = hall(hours=Hours(day_starts="06:00")).play("+1 05:00 takes a -> A001")
    assert floor.day.stream == "hall-1/2026-11-23"
    refused(floor, "+1/05:01", refusals.BadInput, hours=Hours(day_starts="05:00"))


def test_a_catalogue_of_the_evening_holds_on_the_next_day() -> None:
    floor = hall().play("09:00 takes a\n17:00 closes-hall")
    publish(floor, "18:00", items=items(a={"paused": True}))
    assert floor.day.closed
    floor.play("+1 09:00 takes a ! ItemPaused\n+1 09:00 takes b")


def test_whoever_waits_for_a_window_that_helps_is_seen_from_its_new_number() -> None:
    floor = hall(windows=windows(w2={"helps": {"c": 2}})).play(
        "09:00 opens 2\n09:00 takes c\n09:01 calls 2 ! NobodyWaiting"
    )
    publish(floor, "09:02", windows=windows(w2={"helps": {"c": 1}}))
    floor.play("09:03 calls 2 -> C001 first 0")


def refused(
    floor: FloorDay, clock: str, kind: type[refusals.Refused], **changes: Any
) -> refusals.Refused:
    before = floor.day.digest()
    with pytest.raises(kind) as refused:
        publish(floor, clock, **changes)
    assert floor.day.digest() == before
    return refused.value


def test_the_same_catalogue_again_changes_nothing_but_the_log() -> None:
    floor = hall().play("09:00 opens 1\n09:00 takes a\n09:01 calls 1")
    before = floor.day.state()
    fact = publish(floor, "09:02")
    assert isinstance(fact, facts.CataloguePublished)
    assert isinstance(fact.catalogue, Catalogue)
    counted = ("position", "last_at", "done")
    after = floor.day.state()
    assert {name: after[name] for name in after if name not in counted} == {
        name: before[name] for name in before if name not in counted
    }
