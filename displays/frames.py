"""Frames (帧): what a fact means for everything that visitors see and hear.

Pure functions of the day. A follower gets one snapshot when it joins and a frame for
each fact after it, so nothing is shown or spoken twice; each frame says enough to be
shown by itself. Every display reads the same frames.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from floor import facts
from floor.day import Day, WindowState
from floor.facts import Entry

# Rows must be 6 % of the screen's width to be read at 10 m on 55 inches, so a portrait
# or landscape board holds six calls at most (facts measured in docs/decisions/0003).
CALLS_MAX = 6

CallState = Literal["called", "serving"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that was called: what a row of the board shows.

    times: how often it has been called to this window, 1 for the first call.
    state: `called` until the visitor is there, then `serving`; a call that is over
        stays on the board as what it was last, until newer ones push it off.
    over: the service is over, or the visitor did not come.
    """

    ticket: str
    window: str
    window_name: str
    window_name_en: str
    at: datetime
    times: int
    state: CallState
    over: bool


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The waiting line of an item."""

    item: str
    name: str
    name_en: str
    waiting: int


class WindowStrip(msgspec.Struct, frozen=True, kw_only=True):
    """What the strip above a window shows."""

    window: str
    name: str
    name_en: str
    state: WindowState
    ticket: str


class Snapshot(
    msgspec.Struct, frozen=True, kw_only=True, tag="snapshot", tag_field="frame"
):
    """Everything a display needs, as of a position; replaces all it showed before.

    position: number of the last fact that is in it; 0 in an empty log.
    calls: newest first, at most CALLS_MAX.
    """

    position: int
    hall: str
    name: str
    name_en: str
    date: date
    closed: bool
    calls: tuple[Call, ...]
    lines: tuple[Line, ...]
    windows: tuple[WindowStrip, ...]


class CallFrame(
    msgspec.Struct, frozen=True, kw_only=True, tag="call", tag_field="frame"
):
    """A ticket is called now, or again: flash it, say it.

    lines: the waiting lines that changed with it.
    """

    position: int
    call: Call
    lines: tuple[Line, ...]
    strip: WindowStrip


class ChangeFrame(
    msgspec.Struct, frozen=True, kw_only=True, tag="change", tag_field="frame"
):
    """Something changed that is shown but not announced.

    call: the call that changed its state or is over, when there is one; it changes
        its row if it still has one, and brings none back.
    """

    position: int
    call: Call | None
    lines: tuple[Line, ...]
    strip: WindowStrip | None


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag="beat", tag_field="frame"):
    """Nothing new: the hall is still there, and this is the last durable fact.

    Sent in silence, so that a screen can tell a quiet hall from a lost one.
    """

    position: int


Frame = Snapshot | CallFrame | ChangeFrame | Beat

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


def encode(frame: Frame) -> str:
    """A frame as it goes over the wire: one JSON object."""
    return _ENCODER.encode(frame).decode()


def decode(text: str | bytes) -> Frame:
    """A frame from the wire; unknown fields are ignored.

    Raises:
        msgspec.DecodeError: it is not a frame.
    """
    return _DECODER.decode(text)


def snapshot(day: Day, position: int) -> Snapshot:
    """The hall as a display that joins now must show it.

    Args:
        day: the durable day.
        position: of the last durable fact; a day that has just begun has none itself.
    """
    return Snapshot(
        position=position,
        hall=day.catalogue.hall,
        name=day.catalogue.name,
        name_en=day.catalogue.name_en,
        date=day.date,
        closed=day.closed,
        calls=_calls(day),
        lines=tuple(line for item in day.items for line in _lines(day, item)),
        windows=tuple(_strip(day, window) for window in day.windows),
    )


def frame(day: Day, entry: Entry) -> Frame | None:
    """What a fact means for the displays; None when it shows nothing.

    Args:
        day: the day right after the fact.
        entry: the fact.
    """
    fact = entry.fact
    position = fact.position
    if entry.version == 1:
        # The first fact of a day: what was shown before is yesterday's. It is never
        # a call, for windows and tickets begin with the day.
        return snapshot(day, position)
    if isinstance(fact, SHOWN_ANEW):
        return snapshot(day, position)
    match fact:
        case facts.TicketCalled() | facts.TicketRecalled():
            return CallFrame(
                position=position,
                call=_call(day, fact.ticket),
                lines=_lines(day, day.tickets[fact.ticket].item),
                strip=_strip(day, fact.window),
            )
        case (
            facts.WindowOpened()
            | facts.WindowPaused()
            | facts.WindowResumed()
            | facts.WindowClosed()
        ):
            return ChangeFrame(
                position=position,
                call=None,
                lines=(),
                strip=_strip(day, fact.window),
            )
        case (
            facts.ServiceStarted()
            | facts.ServiceFinished()
            | facts.NoShowDeclared()
            | facts.TicketHeld()
            | facts.TicketReturned()
        ):
            return ChangeFrame(
                position=position,
                call=_call(day, fact.ticket),
                lines=(),
                strip=_strip(day, fact.window),
            )
        case (
            facts.TicketTaken() | facts.AppointmentCheckedIn() | facts.TicketAbandoned()
        ):
            return ChangeFrame(
                position=position,
                call=None,
                lines=_lines(day, day.tickets[fact.ticket].item),
                strip=None,
            )
        case _:
            return None


#: After these more than one line or window may look different.
SHOWN_ANEW = (
    facts.HallClosed,
    facts.HallReopened,
    facts.CataloguePublished,
    facts.TicketRequeued,
    facts.TicketTransferred,
    facts.TicketContinued,
    facts.CallUndone,
    facts.ClerkMoved,
)


def _calls(day: Day) -> tuple[Call, ...]:
    # A ticket that was called and waits again (延后, 转移) must not send its visitor
    # to the window it has left.
    called = [id for id in day.last_calls if day.tickets[id].called_at is not None]
    return tuple(_call(day, id) for id in called[:CALLS_MAX])


def _call(day: Day, id: str) -> Call:
    ticket = day.tickets[id]
    window = day.windows.get(ticket.window)
    assert ticket.called_at is not None, f"Ticket {id} on the board was not called."
    return Call(
        ticket=id,
        window=ticket.window,
        window_name=window.name if window else "",
        window_name_en=window.name_en if window else "",
        at=ticket.called_at,
        times=ticket.calls,
        state="serving" if ticket.started_at else "called",
        over=ticket.state not in ("called", "serving"),
    )


def _lines(day: Day, item: str) -> tuple[Line, ...]:
    """The line of an item; empty when a new catalogue has dropped it in mid-day."""
    known = day.items.get(item)
    if known is None:
        return ()
    waiting = len(day.lines[item])
    return (Line(item=item, name=known.name, name_en=known.name_en, waiting=waiting),)


def _strip(day: Day, window: str) -> WindowStrip:
    known = day.windows.get(window)  # Gone when a new catalogue has dropped it.
    place = day.places[window]
    return WindowStrip(
        window=window,
        name=known.name if known else "",
        name_en=known.name_en if known else "",
        state=place.state,
        ticket=place.ticket,
    )
