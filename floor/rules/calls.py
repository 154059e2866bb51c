"""Calls: who comes to a window, who did not, and what becomes of them there."""

from datetime import datetime, timedelta

from floor import facts, refusals
from floor.day import Day
from floor.facts import Outcome
from floor.policies import choose, chosen_over
from floor.rules import asked
from floor.tickets import Ticket

BY_HAND = "by_hand"  # In place of a policy's name when a clerk chose the ticket.


def call_next(day: Day, at: datetime, *, window: str) -> tuple[facts.Fact, ...]:
    """叫号: the ticket that the policy chooses comes to this window.

    Where the hall wants it so, this finishes the ticket being served (下一位).
    """
    finished = _implied_finish(day, at, window)
    place = asked.open_window(day, window) if finished else asked.ready(day, window)
    choice = choose(day, place, at)
    if choice is None:
        raise refusals.NobodyWaiting(window=window)
    called = facts.TicketCalled(
        at=at,
        ticket=choice.ticket.id,
        window=window,
        clerk=place.clerk,
        policy=day.weighing.policy,
        because=choice.because,
        passed=choice.passed,
    )
    return *finished, called


def call_ticket(
    day: Day, at: datetime, *, window: str, ticket: str, reason: str = ""
) -> facts.Fact:
    """指定呼叫: a ticket chosen by hand comes to this free window.

    A missing reason is no ground to refuse; it is a deduction (item B3).
    """
    place = asked.ready(day, window)
    chosen = asked.waiting_ticket(day, ticket)
    passed = chosen_over(day, place, chosen)
    if passed is None:
        raise refusals.ItemNotAtWindow(window=window, ticket=ticket)
    return facts.TicketCalled(
        at=at,
        ticket=ticket,
        window=window,
        clerk=place.clerk,
        policy=BY_HAND,
        reason=reason,
        because="by_hand",
        passed=passed,
    )


def recall_ticket(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """重呼: call the ticket in hand again, not too soon and not for ever."""
    called = asked.called(day, window, ticket)
    calling = day.catalogue.calling
    if calling.recalls_max and called.calls > calling.recalls_max:
        raise refusals.RecalledEnough(ticket=called.id, times=calling.recalls_max)
    assert called.recalled_at is not None, "A ticket in hand was called."
    _only_after(at, called.recalled_at, calling.recall_gap_s, refusals.RecalledTooSoon)
    return facts.TicketRecalled(at=at, ticket=called.id, window=window)


def declare_no_show(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """过号: the visitor is not there, after the calls and seconds the hall demands."""
    called = asked.called(day, window, ticket)
    calling = day.catalogue.calling
    missing = calling.no_show_recalls + 1 - called.calls
    if missing > 0:
        raise refusals.TooFewCalls(ticket=called.id, missing=missing)
    assert called.called_at is not None, "A ticket in hand was called."
    _only_after(at, called.called_at, calling.no_show_after_s, refusals.NoShowTooSoon)
    return facts.NoShowDeclared(at=at, ticket=called.id, window=window)


def undo_call(day: Day, at: datetime, *, window: str, ticket: str = "") -> facts.Fact:
    """撤销叫号: take back a wrong call, soon after it; the ticket waits as before."""
    called = asked.called(day, window, ticket)
    assert called.called_at is not None, "A ticket in hand was called."
    undo_s = day.catalogue.calling.undo_s
    if not undo_s or at - called.called_at > timedelta(seconds=undo_s):
        raise refusals.UndoneTooLate(ticket=called.id, seconds=undo_s)
    return facts.CallUndone(at=at, ticket=called.id, window=window)


def start_service(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """开始办理: the visitor who was called is at the window."""
    called = asked.called(day, window, ticket)
    return facts.ServiceStarted(at=at, ticket=called.id, window=window)


def finish_service(
    day: Day,
    at: datetime,
    *,
    window: str,
    ticket: str = "",
    outcome: Outcome = "done",
    item: str = "",
) -> tuple[facts.Fact, ...]:
    """办结: the window is done; a visit of several items joins the next line.

    item: where the visitor goes on, when it is not what the ticket says (一票到底).
    """
    served = asked.serving(day, window, ticket)
    if item:
        asked.known_item(day, item)
    return _finish(day, at, window, outcome=outcome, item=item or _next_of(day, served))


def hold_ticket(
    day: Day, at: datetime, *, window: str, ticket: str = "", reason: str = ""
) -> facts.Fact:
    """挂起: the visitor fetches something; the window calls others meanwhile."""
    served = asked.serving(day, window, ticket)
    held_max = day.catalogue.calling.held_max
    if len(day.places[window].held) >= held_max:
        raise refusals.TooManyHeld(window=window, most=held_max)
    return facts.TicketHeld(at=at, ticket=served.id, window=window, reason=reason)


def return_ticket(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """回呼: a ticket on hold is served again; the only one, if none is named."""
    place = asked.ready(day, window)
    if not place.held:
        raise refusals.NothingOnHold(window=window)
    if not ticket and len(place.held) > 1:
        raise refusals.SeveralOnHold(tickets="、".join(place.held))
    ticket = ticket or place.held[0]
    if ticket not in place.held:
        raise refusals.NotOnHold(window=window, ticket=ticket)
    return facts.TicketReturned(at=at, ticket=ticket, window=window)


def transfer_ticket(
    day: Day,
    at: datetime,
    *,
    window: str,
    ticket: str = "",
    item: str = "",
    to_window: str = "",
    to_clerk: str = "",
    front: bool = False,
) -> facts.Fact:
    """转移: the ticket in hand waits for another item, window or person."""
    held = asked.in_hand(day, window, ticket)
    if item:
        asked.known_item(day, item)
    if (to_window and to_clerk) or not (item or to_window or to_clerk):
        raise refusals.NowhereToGo(ticket=held.id)
    if to_window and asked.known_window(day, to_window)[1].state == "closed":
        raise refusals.WindowNotOpen(window=to_window)
    if to_clerk and not any(p.clerk == to_clerk for p in day.places.values()):
        raise refusals.ClerkNotHere(clerk=to_clerk)
    if window == to_window or to_clerk == day.places[window].clerk != "":
        raise refusals.TransferToSelf(window=window)
    return facts.TicketTransferred(
        at=at,
        ticket=held.id,
        window=window,
        item=item or held.item,
        front=front,
        to_window=to_window,
        to_clerk=to_clerk,
    )


def _implied_finish(day: Day, at: datetime, window: str) -> tuple[facts.Fact, ...]:
    """What 下一位 says of the ticket being served, where the hall works like that."""
    place = asked.open_window(day, window)
    if place.state != "serving" or not day.catalogue.calling.finish_implied:
        return ()
    item = _next_of(day, day.tickets[place.ticket])
    return _finish(day, at, window, item=item, implied=True)


def _finish(
    day: Day,
    at: datetime,
    window: str,
    *,
    item: str,
    outcome: Outcome = "done",
    implied: bool = False,
) -> tuple[facts.Fact, ...]:
    ticket = day.places[window].ticket
    finished = facts.ServiceFinished(
        at=at, ticket=ticket, window=window, outcome=outcome, implied=implied
    )
    if not item:
        return (finished,)
    joined = facts.TicketContinued(at=at, ticket=ticket, window=window, item=item)
    return finished, joined


def _next_of(day: Day, ticket: Ticket) -> str:
    """The next item of the visit that is still in the catalogue."""
    return next((item for item in ticket.then if item in day.items), "")


def _only_after(
    at: datetime, since: datetime, seconds: int, refusal: type[refusals.Refused]
) -> None:
    """Refuse before so many seconds have passed, saying how many are missing."""
    missing = since + timedelta(seconds=seconds) - at
    if missing > timedelta():
        raise refusal(seconds=-(-missing // timedelta(seconds=1)))
