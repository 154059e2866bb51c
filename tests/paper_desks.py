"""Windows and calls on paper."""

from datetime import datetime, timedelta
from typing import Any

from floor import commands as c
from paper import Card, Desk, Notes, no

SECOND = timedelta(seconds=1)


class Desks(Notes):
    """What a clerk may ask, each answered by what the hall must tell."""

    # ── Windows ─────────────────────────────────────────────────────────────

    def known(self, window: str) -> Desk:
        no("UnknownWindow", self.catalogue.window(window) is None)
        return self.desks[window]

    def open_desk(self, window: str) -> Desk:
        desk = self.known(window)
        no("HallIsClosed", self.closed)
        no("WindowNotOpen", desk.state == "closed")
        return desk

    def ready(self, window: str) -> Desk:
        desk = self.open_desk(window)
        no("WindowBusy", desk.ticket)
        no("WindowOnPause", desk.state == "paused")
        return desk

    def in_hand(self, command: Any) -> tuple[Desk, Card]:
        desk = self.open_desk(command.window)
        no("NothingCalled", not desk.ticket)
        named = getattr(command, "ticket", "")
        no("TicketNotHere", named and named != desk.ticket)
        return desk, self.cards[desk.ticket]

    def called(self, command: Any) -> tuple[Desk, Card]:
        desk, card = self.in_hand(command)
        no("AlreadyStarted", card.state == "serving")
        return desk, card

    def serving(self, command: Any) -> tuple[Desk, Card]:
        desk, card = self.in_hand(command)
        no("NotStarted", card.state != "serving")
        return desk, card

    def on_open(self, command: c.OpenWindow, at: datetime) -> str:
        no("HallIsClosed", self.closed)
        desk = self.known(command.window)
        no("WindowAlreadyOpen", desk.state != "closed")
        here = [d.clerk for d in self.desks.values() if d.state != "closed"]
        no("ClerkElsewhere", command.clerk in here)
        no("OwnSubstitute", command.substitutes == command.clerk)
        desk = self.desks[command.window] = Desk()
        desk.clerk = command.clerk
        window = self.catalogue.window(command.window)
        desk.items = window.items if window else ()
        desk.state = "paused" if self.catalogue.calling.opens_paused else "free"
        return command.window

    def on_pause(self, command: c.PauseWindow, at: datetime) -> str:
        self.ready(command.window).state = "paused"
        return command.window

    def on_resume(self, command: c.ResumeWindow, at: datetime) -> str:
        desk = self.open_desk(command.window)
        no("WindowNotPaused", desk.state != "paused")
        desk.state = "free"
        return command.window

    def on_close(self, command: c.CloseWindow, at: datetime) -> str:
        desk = self.open_desk(command.window)
        if not command.give_back:
            no("WindowBusy", desk.ticket)
            no("TicketsOnHold", desk.held)
        kept = ([desk.ticket] if desk.ticket else []) + desk.held
        for id in reversed(kept):
            card = self.cards[id]
            self.leave(card)
            self.put(card, self.line_again(card), 0, at)
        self.release(f"window:{command.window}")
        self.release(f"clerk:{desk.clerk}")
        self.desks[command.window] = Desk()
        return command.window

    def on_move(self, command: c.MoveClerk, at: datetime) -> str:
        desk = self.open_desk(command.window)
        other = self.known(command.to)
        no("WindowAlreadyOpen", other.state != "closed")
        self.release(f"window:{command.window}")
        self.desks[command.window], self.desks[command.to] = Desk(), desk
        window = self.catalogue.window(command.to)
        desk.items = window.items if window else ()
        for card in self.cards.values():
            if card.id == desk.ticket or card.id in desk.held:
                card.window = command.to
        return command.window

    # ── Calls ───────────────────────────────────────────────────────────────

    def on_call(self, command: c.CallNext, at: datetime) -> str:
        desk = self.open_desk(command.window)
        implied = desk.state == "serving" and self.catalogue.calling.finish_implied
        if not implied:
            self.ready(command.window)
        mine = self.lines(desk)
        no("NobodyWaiting", not mine)
        card, _ = min(mine, key=lambda x: self.urgency(x[0].standing, at, x[1]))
        passed = self.passed(card, mine)
        because = self.because(card, mine, passed, at)
        if implied:
            self.finish(desk, at, "")
            self.facts += 1
        return self.call(desk, card, command.window, at, because, passed)

    def on_call_ticket(self, command: c.CallTicket, at: datetime) -> str:
        desk = self.ready(command.window)
        no("UnknownTicket", command.ticket not in self.cards)
        card = self.cards[command.ticket]
        no("TicketNotWaiting", card.state != "waiting")
        mine = self.lines(desk)
        no("ItemNotAtWindow", card not in [other for other, _ in mine])
        passed = self.passed(card, mine)
        return self.call(desk, card, command.window, at, "by_hand", passed)

    def call(
        self,
        desk: Desk,
        card: Card,
        window: str,
        at: datetime,
        why: str,
        passed: int,
    ) -> str:
        desk.ticket, desk.state = card.id, "called"
        card.state, card.window, card.clerk = "called", window, desk.clerk
        card.calls, card.called_at, card.recalled_at = 1, at, at
        return f"{card.id} {why} {passed}"

    def passed(self, card: Card, mine: list[tuple[Card, int]]) -> int:
        mark = self.order.index(card.standing)
        return sum(self.order.index(other.standing) < mark for other, _ in mine)

    def because(
        self, card: Card, mine: list[tuple[Card, int]], passed: int, at: datetime
    ) -> str:
        if card.placed:
            return "placed"
        if card.line != card.item:
            return "sent"
        if not passed:
            early = card.standing.due < card.taken_at
            return "booked" if early else "first"
        plain = min(mine, key=lambda x: self.urgency(x[0].standing, at, 1))
        return "kind" if plain[0] is card else "weight"

    def on_recall(self, command: c.RecallTicket, at: datetime) -> str:
        _, card = self.called(command)
        demands = self.catalogue.calling
        most = demands.recalls_max
        no("RecalledEnough", most and card.calls > most)
        no("RecalledTooSoon", at - card.recalled_at < demands.recall_gap_s * SECOND)
        card.calls, card.recalled_at = card.calls + 1, at
        return card.id

    def on_no_show(self, command: c.DeclareNoShow, at: datetime) -> str:
        _, card = self.called(command)
        demands = self.catalogue.calling
        no("TooFewCalls", card.calls - 1 < demands.no_show_recalls)
        no("NoShowTooSoon", at - card.called_at < demands.no_show_after_s * SECOND)
        self.leave(card)
        card.state = "no_show"
        return card.id

    def on_undo(self, command: c.UndoCall, at: datetime) -> str:
        _, card = self.called(command)
        undo_s = self.catalogue.calling.undo_s
        no("UndoneTooLate", undo_s == 0 or at - card.called_at > undo_s * SECOND)
        self.leave(card)
        self.wait(card, self.line_again(card), card.standing)
        return card.id

    def on_start(self, command: c.StartService, at: datetime) -> str:
        desk, card = self.called(command)
        desk.state = card.state = "serving"
        return card.id

    def on_finish(self, command: c.FinishService, at: datetime) -> str:
        desk, card = self.serving(command)
        if command.item:
            self.item(command.item)
        self.finish(desk, at, command.item)
        return card.id

    def finish(self, desk: Desk, at: datetime, item: str) -> None:
        card = self.cards[desk.ticket]
        self.leave(card)
        desk.last, card.state = card.id, "served"
        known = [item.id for item in self.catalogue.items]
        steps = [step for step in card.then if step in known]
        item = item or (steps[0] if steps else "")
        if item:
            self.facts += 1
            self.send_on(card, item)
            self.rejoin(card, item, at)

    def send_on(self, card: Card, item: str) -> None:
        card.item = item
        if item in card.then:
            card.then = card.then[card.then.index(item) + 1 :]

    def rejoin(self, card: Card, line: str, at: datetime) -> None:
        card.placed = False
        self.wait(card, line, self.arrive(at, card.kind))

    def on_hold(self, command: c.HoldTicket, at: datetime) -> str:
        desk, card = self.serving(command)
        no("TooManyHeld", len(desk.held) >= self.catalogue.calling.held_max)
        self.leave(card)
        card.state = "held"
        desk.held.append(card.id)
        return card.id

    def on_return(self, command: c.ReturnTicket, at: datetime) -> str:
        desk = self.ready(command.window)
        no("NothingOnHold", not desk.held)
        no("SeveralOnHold", not command.ticket and len(desk.held) > 1)
        id = command.ticket or desk.held[0]
        no("NotOnHold", id not in desk.held)
        desk.held.remove(id)
        desk.ticket, desk.state = id, "serving"
        self.cards[id].state = "serving"
        return id

    def on_transfer(self, command: c.TransferTicket, at: datetime) -> str:
        desk, card = self.in_hand(command)
        if command.item:
            self.item(command.item)
        to = [command.to_window, command.to_clerk]
        no("NowhereToGo", all(to) or not (command.item or any(to)))
        if command.to_window:
            no("WindowNotOpen", self.known(command.to_window).state == "closed")
        clerks = [d.clerk for d in self.desks.values() if d.state != "closed"]
        no("ClerkNotHere", command.to_clerk and command.to_clerk not in clerks)
        no("TransferToSelf", command.to_window == command.window)
        no("TransferToSelf", command.to_clerk == desk.clerk)
        self.leave(card)
        item = command.item or card.item
        if item != card.item:
            self.send_on(card, item)
        line = item
        if any(to):
            line = f"window:{to[0]}" if to[0] else f"clerk:{to[1]}"
        if command.front:
            self.put(card, line, 0, at)
            card.placed = True
        else:
            self.rejoin(card, line, at)
        return card.id
