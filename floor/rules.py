"""What may happen next: one pure function for each command.

`rule(day, at, **command) -> fact`, or it raises a refusal and nothing happened. A rule
reads no clock, touches no log and changes no state.
"""

from datetime import datetime

from floor import facts, refusals
from floor.catalogue import Window
from floor.day import Day, Place, Ticket
from floor.facts import Kind, Level, Outcome
from floor.policies import POLICIES

NUMBER_WIDTH = 3  # A001; the thousandth ticket of a day is A1000.
BY_HAND = "by_hand"  # In place of a policy's name when a clerk chose the ticket.

# ── Windows ─────────────────────────────────────────────────────────────────


def open_window(day: Day, at: datetime, *, window: str, clerk: str) -> facts.Fact:
    """开窗: a clerk signs in at a closed window."""
    _hall_open(day)
    known, place = _window(day, window)
    if place.state != "closed":
        raise refusals.WindowAlreadyOpen(window=window, clerk=place.clerk)
    for other in day.places.values():
        if other.clerk == clerk and other.state != "closed":
            raise refusals.ClerkElsewhere(clerk=clerk, window=other.id)
    return facts.WindowOpened(at=at, window=window, clerk=clerk, items=known.items)


def pause_window(
    day: Day, at: datetime, *, window: str, reason: str = ""
) -> facts.Fact:
    """暂停: a free window stops calling."""
    place = _open(day, window)
    _empty_handed(place)
    if place.state == "paused":
        raise refusals.WindowOnPause(window=window)
    return facts.WindowPaused(at=at, window=window, reason=reason)


def resume_window(day: Day, at: datetime, *, window: str) -> facts.Fact:
    """恢复: a paused window calls again."""
    place = _open(day, window)
    if place.state != "paused":
        raise refusals.WindowNotPaused(window=window)
    return facts.WindowResumed(at=at, window=window)


def close_window(day: Day, at: datetime, *, window: str) -> facts.Fact:
    """关窗: the clerk signs out with no ticket in hand."""
    _empty_handed(_open(day, window))
    return facts.WindowClosed(at=at, window=window)


def close_hall(day: Day, at: datetime) -> facts.Fact:
    """闭厅: the business day is over."""
    _hall_open(day)
    return facts.HallClosed(at=at)


# ── Tickets ─────────────────────────────────────────────────────────────────


def take_ticket(
    day: Day,
    at: datetime,
    *,
    item: str,
    kind: Kind = "normal",
    channel: str = "kiosk",
) -> facts.Fact:
    """取号: the next number of the item's prefix; numbers have no gap."""
    _hall_open(day)
    known = day.items.get(item)
    if known is None:
        raise refusals.UnknownItem(item=item)
    number = day.issued.get(known.prefix, 0) + 1
    return facts.TicketTaken(
        at=at,
        ticket=f"{known.prefix}{number:0{NUMBER_WIDTH}d}",
        item=item,
        kind=kind,
        channel=channel,
    )


def call_next(
    day: Day, at: datetime, *, window: str, policy: str = "first_come"
) -> facts.Fact:
    """叫号: the ticket that the policy chooses comes to this free window."""
    place = _ready(day, window)
    ticket = POLICIES[policy](day, place.items)
    if ticket is None:
        raise refusals.NobodyWaiting(window=window)
    return facts.TicketCalled(
        at=at, ticket=ticket.id, window=window, clerk=place.clerk, policy=policy
    )


def call_ticket(
    day: Day, at: datetime, *, window: str, ticket: str, reason: str = ""
) -> facts.Fact:
    """指定呼叫: a ticket chosen by hand comes to this free window.

    A missing reason is no ground to refuse; it is a deduction (item B3).
    """
    place = _ready(day, window)
    chosen = _ticket(day, ticket)
    if chosen.state != "waiting":
        raise refusals.TicketNotWaiting(ticket=ticket)
    if chosen.item not in place.items:
        raise refusals.ItemNotAtWindow(window=window, ticket=ticket)
    return facts.TicketCalled(
        at=at,
        ticket=ticket,
        window=window,
        clerk=place.clerk,
        policy=BY_HAND,
        reason=reason,
    )


def recall_ticket(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """重呼: call the ticket in hand again."""
    called = _called(day, window, ticket)
    return facts.TicketRecalled(at=at, ticket=called.id, window=window)


def declare_no_show(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """过号: the visitor who was called is not there."""
    called = _called(day, window, ticket)
    return facts.NoShowDeclared(at=at, ticket=called.id, window=window)


def start_service(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """开始办理: the visitor who was called is at the window."""
    called = _called(day, window, ticket)
    return facts.ServiceStarted(at=at, ticket=called.id, window=window)


def finish_service(
    day: Day,
    at: datetime,
    *,
    window: str,
    ticket: str = "",
    outcome: Outcome = "done",
) -> facts.Fact:
    """办结: the window is done with the ticket being served."""
    held = _in_hand(day, window, ticket)
    if held.state != "serving":
        raise refusals.NotStarted(ticket=held.id)
    return facts.ServiceFinished(at=at, ticket=held.id, window=window, outcome=outcome)


def abandon_ticket(day: Day, at: datetime, *, ticket: str) -> facts.Fact:
    """弃号: a waiting visitor gives up."""
    leaving = _ticket(day, ticket)
    if leaving.state != "waiting":
        raise refusals.TicketNotWaiting(ticket=ticket)
    return facts.TicketAbandoned(at=at, ticket=ticket)


# ── Evaluation ──────────────────────────────────────────────────────────────


def invite_evaluation(
    day: Day, at: datetime, *, window: str, ticket: str = ""
) -> facts.Fact:
    """邀评: the clerk asks the visitor served last, or the one named, to rate."""
    _, place = _window(day, window)
    ticket = ticket or place.last
    if not ticket:
        raise refusals.NobodyToInvite(window=window)
    served = _served(day, ticket)
    if served.window != window:
        raise refusals.ServedElsewhere(ticket=ticket, window=served.window)
    return facts.EvaluationInvited(at=at, ticket=ticket, window=window)


def evaluate(
    day: Day, at: datetime, *, ticket: str, level: Level, channel: str = "tablet"
) -> facts.Fact:
    """评价: a visitor rates a finished service, once; also after the hall closed."""
    served = _served(day, ticket)
    return facts.EvaluationGiven(
        at=at, ticket=ticket, window=served.window, level=level, channel=channel
    )


# ── What the rules look at ──────────────────────────────────────────────────


def _hall_open(day: Day) -> None:
    if day.closed:
        raise refusals.HallIsClosed


def _window(day: Day, window: str) -> tuple[Window, Place]:
    known = day.windows.get(window)
    if known is None:
        raise refusals.UnknownWindow(window=window)
    return known, day.places[window]


def _open(day: Day, window: str) -> Place:
    _, place = _window(day, window)
    _hall_open(day)
    if place.state == "closed":
        raise refusals.WindowNotOpen(window=window)
    return place


def _empty_handed(place: Place) -> None:
    if place.ticket:
        raise refusals.WindowBusy(window=place.id, ticket=place.ticket)


def _ready(day: Day, window: str) -> Place:
    """The window, when it may call."""
    place = _open(day, window)
    _empty_handed(place)
    if place.state == "paused":
        raise refusals.WindowOnPause(window=window)
    return place


def _in_hand(day: Day, window: str, ticket: str) -> Ticket:
    """The ticket in hand; when one is named, it must be that one."""
    place = _open(day, window)
    if not place.ticket:
        raise refusals.NothingCalled(window=window)
    if ticket and ticket != place.ticket:
        raise refusals.TicketNotHere(window=window, current=place.ticket, ticket=ticket)
    return day.tickets[place.ticket]


def _called(day: Day, window: str, ticket: str) -> Ticket:
    held = _in_hand(day, window, ticket)
    if held.state == "serving":
        raise refusals.AlreadyStarted(ticket=held.id, window=window)
    return held


def _ticket(day: Day, ticket: str) -> Ticket:
    known = day.tickets.get(ticket)
    if known is None:
        raise refusals.UnknownTicket(ticket=ticket)
    return known


def _served(day: Day, ticket: str) -> Ticket:
    known = _ticket(day, ticket)
    if known.state != "served":
        raise refusals.NotServedYet(ticket=ticket)
    if known.level is not None:
        raise refusals.AlreadyEvaluated(ticket=ticket)
    return known
