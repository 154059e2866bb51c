"""预约: free time slots, booking one, cancelling, and checking in."""

import re
from datetime import date, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from floor import commands, facts, refusals
from floor.answers import BookedAnswer, SlotAnswer, SlotsAnswer
from floor.bookings import Booked
from floor.day import Day
from floor.door import Floor, json_response
from floor.endpoints.tickets import taken
from floor.endpoints.words import carried_out, own, read, with_person, words_of
from floor.slots import slots
from floor.tokens import token_of


class PersonShown(msgspec.Struct, frozen=True, kw_only=True):
    """刷证签到: an identity stands for the person's booking of today.

    item: which of several bookings is meant; otherwise the earliest one.
    """

    command_id: commands.CommandId
    person: commands.Person
    item: commands.IdOrNone = ""
    channel: commands.Channel = "kiosk"


DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


async def free_slots(floor: Floor, request: Request) -> Response:
    """Without a date, those of today."""
    day = floor.feed.day
    item = request.query_params.get("item", "")
    on = _date(request.query_params.get("date"), day)
    return json_response(
        SlotsAnswer(
            item=item,
            date=on.isoformat(),
            slots=[
                SlotAnswer(slot_at=_on_the_clock(day, slot.slot_at), free=slot.free)
                for slot in slots(day, floor.clock(), item, on)
            ],
        )
    )


async def book(floor: Floor, request: Request) -> Response:
    words = with_person(floor, await words_of(request))
    receipt = await floor.do(read(words, commands.BookAppointment))
    booked = receipt.entry.fact
    assert isinstance(booked, facts.AppointmentBooked)
    day = floor.feed.day
    return json_response(
        BookedAnswer(
            booking=booked.booking,
            item=booked.item,
            slot_at=_on_the_clock(day, booked.slot_at),
            token=token_of(floor.key, series_of(day), booked.booking),
            position=booked.position,
        ),
        201,
    )


async def cancel(floor: Floor, request: Request) -> Response:
    words = await _booking_words(floor, request)
    return carried_out(await floor.do(read(words, commands.CancelAppointment)))


async def check_in(floor: Floor, request: Request) -> Response:
    words = await _booking_words(floor, request)
    return taken(floor, await floor.do(read(words, commands.CheckIn)))


async def check_in_person(floor: Floor, request: Request) -> Response:
    words = with_person(floor, await words_of(request), needed=True)
    shown = read(words, PersonShown)
    checking_in = commands.CheckIn(
        command_id=shown.command_id,
        booking=_booking_of(floor.feed.day, shown),
        channel=shown.channel,
    )
    return taken(floor, await floor.do(checking_in))


def series_of(day: Day) -> str:
    """What a booking's token is made for, whatever day it is used on."""
    return f"{day.catalogue.hall}/bookings"


def _booking_of(day: Day, shown: PersonShown) -> str:
    """The booking that somebody means who shows an identity.

    Raises:
        NothingBooked: the person has none today, for this item if one was named.
        TicketInHand: it has become a ticket already.
    """
    done = day.done.get(shown.command_id)
    fact = done.fact if done else None
    if isinstance(fact, facts.AppointmentCheckedIn) and (
        fact.person == shown.person and shown.item in ("", fact.item)
    ):
        return fact.booking  # The same press again.
    mine = [
        booked
        for booked in day.bookings.of(shown.person)
        if booked.date == day.date and shown.item in ("", booked.item)
    ]
    open_ = [booked for booked in mine if booked.state == "booked"]
    if open_:
        return min(open_, key=_slot_at).id
    if any(booked.state == "checked_in" for booked in mine):
        for ticket in day.open_of(shown.person):
            if shown.item in ("", ticket.item):
                raise refusals.TicketInHand(ticket=ticket.id)
    raise refusals.NothingBooked


async def _booking_words(floor: Floor, request: Request) -> dict[str, Any]:
    """The words of a visitor's command about a booking; the token must be its own."""
    words = await words_of(request)
    booking = words["booking"] = request.path_params["booking"]
    own(floor, series_of(floor.feed.day), booking, words, needed=True)
    return words


def _date(text: str | None, day: Day) -> date:
    if text is None:
        return day.date
    try:
        if DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # No month has a 31st of everything.
    raise refusals.BadInput(
        name="date", why="not a date like 2026-11-23", why_zh="应如 2026-11-23"
    )


def _on_the_clock(day: Day, at: datetime) -> str:
    return at.astimezone(day.catalogue.zone).isoformat()


def _slot_at(booked: Booked) -> datetime:
    return booked.slot_at
