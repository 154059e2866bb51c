"""Windows: signing in and out, pausing, and moving to another one."""

from datetime import datetime

from floor import facts, refusals
from floor.day import Day
from floor.rules import asked

SIGNED_IN = "登录"  # Why a window is on pause right after signing in.


def open_window(
    day: Day, at: datetime, *, window: str, clerk: str, substitutes: str = ""
) -> tuple[facts.Fact, ...]:
    """开窗: a clerk signs in at a closed window; on pause, where the hall wants it."""
    asked.hall_open(day)
    known, place = asked.known_window(day, window)
    if place.state != "closed":
        raise refusals.WindowAlreadyOpen(window=window, clerk=place.clerk)
    for other in day.places.values():
        if other.clerk == clerk and other.state != "closed":
            raise refusals.ClerkElsewhere(clerk=clerk, window=other.id)
    if substitutes == clerk:
        raise refusals.OwnSubstitute(clerk=clerk)
    opened = facts.WindowOpened(
        at=at, window=window, clerk=clerk, items=known.items, substitutes=substitutes
    )
    if not day.catalogue.calling.opens_paused:
        return (opened,)
    paused = facts.WindowPaused(at=at, window=window, reason=SIGNED_IN, approved=True)
    return opened, paused


def pause_window(
    day: Day, at: datetime, *, window: str, reason: str = ""
) -> facts.Fact:
    """暂停: a free window stops calling."""
    place = asked.open_window(day, window)
    asked.empty_handed(place)
    if place.state == "paused":
        raise refusals.WindowOnPause(window=window)
    approved = any(p.approved and p.name == reason for p in day.catalogue.pauses)
    return facts.WindowPaused(at=at, window=window, reason=reason, approved=approved)


def resume_window(day: Day, at: datetime, *, window: str) -> facts.Fact:
    """恢复: a paused window calls again."""
    place = asked.open_window(day, window)
    if place.state != "paused":
        raise refusals.WindowNotPaused(window=window)
    return facts.WindowResumed(at=at, window=window)


def close_window(
    day: Day, at: datetime, *, window: str, give_back: bool = False
) -> tuple[facts.Fact, ...]:
    """关窗: the clerk signs out; tickets in hand or on hold go back to the front.

    Only when asked to (`give_back`): whoever is at the window is not to be forgotten.
    """
    place = asked.open_window(day, window)
    kept = [id for id in (place.ticket, *place.held) if id]
    if kept and not give_back:
        asked.empty_handed(place)
        raise refusals.TicketsOnHold(window=window, tickets="、".join(place.held))
    closed = facts.WindowClosed(at=at, window=window)
    # The last one given back stands at the very front, so the one in hand comes last.
    back = [
        facts.TicketRequeued(at=at, ticket=id, place=0, window=window)
        for id in reversed(kept)
    ]
    return *back, closed


def move_clerk(day: Day, at: datetime, *, window: str, to: str) -> facts.Fact:
    """换窗: the clerk goes on at another, closed window, with all that is in hand."""
    place = asked.open_window(day, window)
    known, other = asked.known_window(day, to)
    if other.state != "closed":
        raise refusals.WindowAlreadyOpen(window=to, clerk=other.clerk)
    return facts.ClerkMoved(
        at=at, window=window, to=to, clerk=place.clerk, items=known.items
    )
