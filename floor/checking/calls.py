"""Calls and what follows them at a window; who should have been called instead."""

from floor import facts
from floor.checking.lines import Reach, Standing, before, most_urgent, oldest
from floor.checking.rates import LATE_MS
from floor.checking.sheet import (
    CALLED,
    FREE,
    HELD,
    OVER,
    SERVED,
    SERVING,
    WAITING,
    Place,
    Sheet,
    Ticket,
)
from floor.checking.tickets import absent

BY_HAND = "by_hand"


def called(sheet: Sheet, fact: facts.TicketCalled, ms: int) -> None:
    position = fact.position
    rates = sheet.rates
    rates.calls += 1
    sheet.waiting -= 1
    ticket = sheet.ticket(fact.ticket, position)
    place = sheet.place(fact.window, position)
    if ticket is None or place is None:
        return
    if fact.clerk != place.clerk and place.state != OVER:
        sheet.wrong(
            "wrong_clerk", position,
            window=place.id, found=place.clerk, clerk=fact.clerk,
        )  # fmt: skip
    if place.state == FREE and ticket.state == WAITING:
        _judge(sheet, fact, ticket, place, ms)
        late_ms = ms - max(place.since, ticket.since)
        rates.idle_ms += late_ms
        if late_ms > LATE_MS:
            rates.late += 1
    else:
        _not_callable(sheet, ticket, place, position)
    plain = ticket.plain and not ticket.first_called and fact.policy != BY_HAND
    came_ms = ticket.came_ms if plain else -1
    sheet.turn(ticket, CALLED, ms, position)
    if not ticket.first_called:
        ticket.first_called = position
        rates.called += 1
        if ticket.wait_ms:
            rates.waited += 1
            rates.waited_ms += ticket.wait_ms
    ticket.window = place.id
    ticket.calls, ticket.called_ms, ticket.recalled_ms = 1, ms, ms
    place.turn(CALLED, ms)
    place.ticket = ticket.id
    place.legs.append((came_ms, ms, -1, position))


def _not_callable(sheet: Sheet, ticket: Ticket, place: Place, position: int) -> None:
    if place.ticket:
        sheet.wrong(
            "window_busy_with", position, sheet.tickets[place.ticket].position,
            window=place.id, other=place.ticket,
        )  # fmt: skip
    elif place.state != FREE:
        sheet.wrong("not_ready", position, window=place.id, state=place.state)
    if ticket.state in (CALLED, SERVING, HELD):
        sheet.wrong(
            "called_twice", position, ticket.position,
            ticket=ticket.id, other=ticket.window,
        )  # fmt: skip
    elif ticket.state != WAITING:
        sheet.wrong(
            "not_waiting", position, ticket.position,
            ticket=ticket.id, state=ticket.state,
        )  # fmt: skip


def _judge(
    sheet: Sheet, fact: facts.TicketCalled, ticket: Ticket, place: Place, ms: int
) -> None:
    """Whether this ticket was the one to be called, and what is said of it true."""
    if _plainly_first(sheet, fact, ticket, place):
        sheet.aside, sheet.explained = None, True
        return
    verdict = _verdict(sheet, fact, ticket, place, ms)
    aside = sheet.aside
    if verdict and aside and aside is not ticket and aside.state == WAITING:
        # A call that finishes the ticket in hand may be decided before that ticket
        # joins its next line, or after it: its facts do not say which.
        stood = aside.line, aside.mark, aside.standing
        sheet.lines.remove(*stood)
        verdict = _verdict(sheet, fact, ticket, place, ms)
        sheet.lines.add(*stood)
    sheet.aside = None
    for what, positions, words in verdict:
        sheet.wrong(what, fact.position, *positions, ticket=ticket.id, **words)
    if fact.policy == BY_HAND:
        sheet.rates.by_hand += 1
    if fact.passed:
        sheet.rates.overtaking += 1
    if fact.because:
        sheet.explained = True
    else:
        sheet.rates.unexplained += 1


def _plainly_first(
    sheet: Sheet, fact: facts.TicketCalled, ticket: Ticket, place: Place
) -> bool:
    """The usual case at a glance: age alone decides, and nobody has waited longer."""
    if (
        fact.because != "first"
        or fact.passed
        or ticket.placed
        or ticket.line != ticket.item
        or not place.even
        or not sheet.weights.plain
        or fact.policy != sheet.weights.name
    ):
        return False
    standing = ticket.standing
    if standing[0] < ticket.taken_ms:
        return False
    found = False
    for _, by_kind, _ in sheet.reach(place):
        for tickets in by_kind.values():
            if tickets:
                head = tickets[0]
                if head is standing:
                    found = True
                elif head < standing:
                    return False
    return found


Verdict = list[tuple[str, tuple[int, ...], dict[str, object]]]


def _verdict(
    sheet: Sheet, fact: facts.TicketCalled, ticket: Ticket, place: Place, ms: int
) -> Verdict:
    """What is wrong with a call: the sentence, the facts that show it, its words."""
    words: dict[str, object]
    reach = sheet.reach(place)
    if not any(one[0] == ticket.line for one in reach):
        words = {"line": ticket.line, "window": place.id}
        return [("not_eligible", (ticket.position,), words)]
    standing = ticket.standing
    head: Standing | None = standing
    if fact.policy == BY_HAND:
        passed, because = before(reach, standing), BY_HAND
    elif fact.policy != sheet.weights.name:
        words = {"found": sheet.weights.name, "policy": fact.policy}
        return [("wrong_policy", (), words)]
    elif sheet.weights.plain and place.even:
        head, passed = oldest(reach), 0
        because = _because(sheet, ticket, reach, passed, ms)
    else:
        head = most_urgent(reach, sheet.weights, ms)
        passed = before(reach, standing)
        because = _because(sheet, ticket, reach, passed, ms)
    # A release that did not say why had its own order of those put in front.
    if not fact.because and not sheet.explained:
        return []
    if head is not standing:
        assert head is not None, "The ticket itself waits in one of these lines."
        best = sheet.tickets[head[3]]
        return [("not_next", (best.position,), {"best": best.id})]
    verdict: Verdict = []
    if fact.because != because:
        words = {"found": because, "because": fact.because}
        verdict.append(("wrong_because", (), words))
    if fact.passed != passed:
        verdict.append(("wrong_passed", (), {"found": passed, "passed": fact.passed}))
    return verdict


def _because(
    sheet: Sheet, ticket: Ticket, reach: list[Reach], passed: int, ms: int
) -> str:
    if ticket.placed:
        return "placed"
    if ticket.line != ticket.item:
        return "sent"
    if not passed:
        return "booked" if ticket.standing[0] < ticket.taken_ms else "first"
    # By its kind, unless it would not have been next but for what its item weighs.
    unweighted = [(line, by_kind, 1) for line, by_kind, _ in reach]
    by_kind_alone = most_urgent(unweighted, sheet.weights, ms) is ticket.standing
    return "kind" if by_kind_alone else "weight"


def recalled(sheet: Sheet, fact: facts.TicketRecalled, ms: int) -> None:
    both = sheet.in_hand(fact.ticket, fact.window, CALLED, "not_called", fact.position)
    if both is None:
        return
    ticket, _ = both
    gap_ms = sheet.calling.recall_gap_s * 1000
    most = sheet.calling.recalls_max
    if (most and ticket.calls > most) or ms - ticket.recalled_ms < gap_ms:
        sheet.wrong(
            "recalled_too_soon", fact.position, ticket.position, ticket=ticket.id
        )
    ticket.calls += 1
    ticket.recalled_ms = ms


def undone(sheet: Sheet, fact: facts.CallUndone, ms: int) -> None:
    position = fact.position
    both = sheet.in_hand(fact.ticket, fact.window, CALLED, "not_called", position)
    if both is None:
        return
    ticket, place = both
    undo_ms = sheet.calling.undo_s * 1000
    if not undo_ms or ms - ticket.called_ms > undo_ms:
        sheet.wrong("undone_too_late", position, ticket.position, ticket=ticket.id)
    sheet.waiting += 1
    sheet.let_go(place, ticket, ms)
    sheet.leave(ticket, ms)
    line = sheet.living(ticket.line, ticket)
    sheet.wait(ticket, line, (ticket.mark, ticket.standing), ms, position)
    ticket.plain = False


def no_show(sheet: Sheet, fact: facts.NoShowDeclared, ms: int) -> None:
    position = fact.position
    both = sheet.in_hand(fact.ticket, fact.window, CALLED, "not_called", position)
    if both is None:
        return
    ticket, place = both
    soon_ms = sheet.calling.no_show_after_s * 1000
    if ticket.calls <= sheet.calling.no_show_recalls or ms - ticket.called_ms < soon_ms:
        sheet.wrong("no_show_too_soon", position, ticket.position, ticket=ticket.id)
    sheet.let_go(place, ticket, ms)
    absent(sheet, ticket, ms, position)


def started(sheet: Sheet, fact: facts.ServiceStarted, ms: int) -> None:
    position = fact.position
    both = sheet.in_hand(fact.ticket, fact.window, CALLED, "not_called", position)
    if both is None:
        return
    ticket, place = both
    sheet.serving += 1
    sheet.turn(ticket, SERVING, ms, position)
    ticket.window = place.id
    place.turn(SERVING, ms)
    place.ticket = ticket.id


def finished(sheet: Sheet, fact: facts.ServiceFinished, ms: int) -> None:
    position = fact.position
    both = sheet.in_hand(fact.ticket, fact.window, SERVING, "not_serving", position)
    sheet.serving -= 1
    if both is None:
        return
    ticket, place = both
    sheet.turn(ticket, SERVED, ms, position)
    if place.ticket == ticket.id:
        sheet.free(place, ms)
    if fact.implied:
        if not sheet.calling.finish_implied:
            sheet.wrong("not_implied", position)
        sheet.owed = position, place.id, ("TicketCalled", "TicketContinued")


def continued(sheet: Sheet, fact: facts.TicketContinued, ms: int) -> None:
    position = fact.position
    ticket, place = (
        sheet.ticket(fact.ticket, position),
        sheet.place(fact.window, position),
    )
    if ticket is None or place is None:
        return
    if ticket.state != SERVED or ticket.window != place.id:
        sheet.wrong(
            "not_served", position, ticket.position,
            ticket=ticket.id, window=place.id, state=ticket.state,
        )  # fmt: skip
        return
    if fact.item not in sheet.items:
        sheet.wrong("unknown_item", position, item=fact.item)
    sheet.waiting += 1
    ticket.item = fact.item
    sheet.leave(ticket, ms)
    sheet.rejoin(ticket, fact.item, ms, position)
    if sheet.owed is not None:
        sheet.aside = ticket


def held(sheet: Sheet, fact: facts.TicketHeld, ms: int) -> None:
    position = fact.position
    both = sheet.in_hand(fact.ticket, fact.window, SERVING, "not_serving", position)
    if both is None:
        return
    ticket, place = both
    most = sheet.calling.held_max
    if len(place.held) >= most:
        sheet.wrong("held_too_many", position, window=place.id, most=most)
    sheet.let_go(place, ticket, ms)
    sheet.turn(ticket, HELD, ms, position)
    place.held.append(ticket.id)
    sheet.held += 1


def returned(sheet: Sheet, fact: facts.TicketReturned, ms: int) -> None:
    position = fact.position
    ticket, place = (
        sheet.ticket(fact.ticket, position),
        sheet.place(fact.window, position),
    )
    if ticket is None or place is None:
        return
    if ticket.state != HELD or ticket.id not in place.held:
        sheet.wrong(
            "not_held", position, ticket.position, ticket=ticket.id, window=place.id
        )
        return
    if place.state != FREE:
        sheet.wrong("window_not_free", position, window=place.id, state=place.state)
    sheet.let_go(place, ticket, ms)
    sheet.serving += 1
    sheet.turn(ticket, SERVING, ms, position)
    ticket.window = place.id
    place.turn(SERVING, ms)
    place.ticket = ticket.id


def transferred(sheet: Sheet, fact: facts.TicketTransferred, ms: int) -> None:
    position = fact.position
    both = sheet.in_hand(fact.ticket, fact.window, "", "not_in_hand", position)
    if both is None:
        return
    ticket, place = both
    line = _sent_to(sheet, fact)
    sheet.let_go(place, ticket, ms)
    sheet.waiting += 1
    ticket.item = fact.item
    sheet.leave(ticket, ms)
    if fact.front:
        sheet.put(ticket, line, 0, ms, position)
        ticket.placed = True
    else:
        sheet.rejoin(ticket, line, ms, position)
    ticket.plain = False


def _sent_to(sheet: Sheet, fact: facts.TicketTransferred) -> str:
    """The line that a transferred ticket joins; there must be somebody to call it."""
    if fact.item not in sheet.items:
        sheet.wrong("unknown_item", fact.position, item=fact.item)
    if fact.to_window:
        sheet.sent = True
        place = sheet.place(fact.to_window, fact.position)
        if place is not None and place.state == OVER:
            sheet.wrong("window_not_open", fact.position, window=fact.to_window)
        return f"window:{fact.to_window}"
    if fact.to_clerk:
        sheet.sent = True
        if not any(place.clerk == fact.to_clerk for place in sheet.places.values()):
            sheet.wrong("unknown_clerk", fact.position, clerk=fact.to_clerk)
        return f"clerk:{fact.to_clerk}"
    return fact.item
