"""Tickets, appointments and the hall on paper; and the pencil."""

from datetime import datetime, timedelta

from floor import commands as c
from floor.catalogue import BadCatalogue, check
from floor.commands import Command
from paper import OPEN, Card, No, Slip, no
from paper_desks import SECOND, Desks


class Paper(Desks):
    """One day of the hall, and the pencil."""

    def press(self, command: Command, at: datetime) -> str:
        """Write down what the command comes to, or say the name of the refusal."""
        word = str(command.__struct_config__.tag)
        try:
            told: str = getattr(self, f"on_{word.replace('-', '_')}")(command, at)
        except No as refusal:
            return str(refusal)
        if word not in ("book", "cancel", "publish"):
            self.facts += 1
        return told

    # ── Tickets ─────────────────────────────────────────────────────────────

    def known_card(self, ticket: str) -> Card:
        no("UnknownTicket", ticket not in self.cards)
        return self.cards[ticket]

    def number(self, item: str, booked: bool) -> str:
        known = self.item(item)
        prefix = known.prefix_for(booked)
        used = [id for id in self.cards if id.rstrip("0123456789") == prefix]
        last = max((int(id[len(prefix) :]) for id in used), default=0)
        number = max(last + 1, known.first)
        no("NumbersExhausted", number > known.last)
        return prefix + str(number).rjust(known.digits, "0")

    def within_open(self, item: str, person: str) -> None:
        taking = self.catalogue.taking
        cards = self.cards.values()
        mine = [x for x in cards if person and x.person == person and x.state in OPEN]
        same = [card for card in mine if card.item == item]
        no("TicketInHand", len(same) >= taking.open_per_item)
        no("TooManyOpen", taking.open_max and len(mine) >= taking.open_max)

    def within_person(self, item: str, person: str) -> None:
        taking = self.catalogue.taking
        no("IdentityNeeded", taking.person_required and not person)
        self.within_open(item, person)
        every = [x for x in self.cards.values() if person and x.person == person]
        no("TooManyToday", taking.day_max and len(every) >= taking.day_max)

    def on_take(self, command: c.TakeTicket, at: datetime) -> str:
        no("HallIsClosed", self.closed)
        item = self.item(command.item)
        no("ItemPaused", item.paused)
        kind = command.kind
        if command.ground:
            grounds = {g.id: g.kind for g in self.catalogue.grounds}
            no("UnknownGround", command.ground not in grounds)
            kind = grounds[command.ground]
        for step in command.then:
            self.item(step)
        taking = self.catalogue.taking
        spans = self.catalogue.open_spans(self.date)
        if command.channel != "staff":
            inside = [1 for begin, end in spans if begin <= at < end]
            no("OutsideHours", taking.hours_only and not inside)
            stop = taking.stop_before_close_s * SECOND
            no("TooLateToday", stop and spans and spans[-1][1] - at <= stop)
        self.within_person(item.id, command.person)
        slips = [s for s in self.slips.values() if s.state == "booked" and s.person]
        mine = [s for s in slips if s.person == command.person and s.item == item.id]
        no("BookedAlready", any(s.date == self.date for s in mine))
        taken = [when for id, when in self.taken if id == item.id]
        no("DayFull", item.day_quota and len(taken) >= item.day_quota)
        slot = [when for when in taken if self.slot(when) == self.slot(at)]
        no("SlotFull", item.slot_quota and len(slot) >= item.slot_quota)
        card = Card(self.number(item.id, booked=False), item.id, kind, at)
        card.person, card.then = command.person, command.then or item.then
        card.standing = self.arrive(at, kind)
        self.cards[card.id] = card
        self.taken.append((item.id, at))
        return card.id

    def slot(self, at: datetime) -> int:
        local = at.astimezone(self.catalogue.zone)
        return (local.hour * 3600 + local.minute * 60 + local.second) // (
            self.catalogue.taking.slot_s
        )

    def on_requeue(self, command: c.RequeueTicket, at: datetime) -> str:
        no("HallIsClosed", self.closed)
        card = self.known_card(command.ticket)
        demands = self.catalogue.calling
        no("NotMissed", card.state != "no_show")
        no("ReturnedEnough", card.returns >= demands.returns_max)
        self.item(card.item)
        self.within_open(card.item, card.person)
        place = demands.return_place if command.place is None else command.place
        card.returns += 1
        self.put(card, self.line_again(card), place, at)
        return card.id

    def on_defer(self, command: c.DeferTicket, at: datetime) -> str:
        card = self.known_card(command.ticket)
        no("TicketNotWaiting", card.state != "waiting")
        demands = self.catalogue.calling
        no("DeferredEnough", card.defers >= demands.defers_max)
        no("NotDueYet", card.standing.due > at)
        line = self.in_line(card.line, at)
        ahead = [x for x in line[: line.index(card)] if x.standing.due <= at]
        more = demands.defer_place
        card.defers += 1
        card.state = "deferred"
        self.put(
            card, self.line_again(card), more if more < 0 else len(ahead) + more, at
        )
        return card.id

    def on_abandon(self, command: c.AbandonTicket, at: datetime) -> str:
        card = self.known_card(command.ticket)
        no("TicketNotWaiting", card.state not in ("waiting", "held"))
        self.leave(card)
        card.state = "abandoned"
        return card.id

    def served(self, ticket: str) -> Card:
        card = self.known_card(ticket)
        no("NotServedYet", card.state != "served")
        no("AlreadyEvaluated", card.rated)
        return card

    def on_invite(self, command: c.InviteEvaluation, at: datetime) -> str:
        desk = self.known(command.window)
        ticket = command.ticket or desk.last
        no("NobodyToInvite", not ticket)
        card = self.served(ticket)
        no("ServedElsewhere", card.window != command.window)
        return card.id

    def on_evaluate(self, command: c.Evaluate, at: datetime) -> str:
        card = self.served(command.ticket)
        card.rated = True
        return card.id

    # ── Appointments ────────────────────────────────────────────────────────

    def on_book(self, command: c.BookAppointment, at: datetime) -> str:
        item, demands = self.item(command.item), self.catalogue.booking
        quota = demands.quota if item.booking_quota == -1 else item.booking_quota
        no("NoBooking", quota == 0 or item.paused)
        slot_at, slot = command.slot_at, demands.slot_s * SECOND
        date = slot_at.astimezone(self.catalogue.zone).date()
        no("HallIsClosed", self.closed and date == self.date)
        slots = []
        for begin, end in self.catalogue.open_spans(date):
            while begin + slot <= end:
                slots.append(begin)
                begin += slot
        last = self.date + timedelta(days=demands.ahead_days)
        no("NoSuchSlot", slot_at not in slots or slot_at <= at)
        no("NoSuchSlot", not self.date <= date <= last)
        same_day = [slip for slip in self.slips.values() if slip.date == date]
        same = [s for s in same_day if s.item == item.id and s.state != "cancelled"]
        same = [slip for slip in same if slip.slot_at == slot_at]
        no("SlotFull", len(same) >= quota)
        person = command.person
        no("IdentityNeeded", self.catalogue.taking.person_required and not person)
        mine = [
            slip for slip in self.slips.values() if person and slip.person == person
        ]
        again = [slip for slip in mine if slip.date == date and slip.item == item.id]
        no("BookedAlready", "booked" in [slip.state for slip in again])
        most = demands.same_item_max
        no("BookedTooOften", most and len(again) >= most)
        since = self.date - timedelta(days=demands.memory_days)
        states = [slip.state for slip in mine if slip.date >= since]
        for state, most in (
            ("missed", demands.missed_max),
            ("cancelled", demands.cancelled_max),
        ):
            no("BookingSuspended", most and states.count(state) >= most)
        id = f"{date:%Y%m%d}-{len(same_day) + 1:03d}"
        self.slips[id] = Slip(item.id, slot_at, date, person)
        return id

    def slip(self, booking: str) -> Slip:
        no("UnknownBooking", booking not in self.slips)
        slip = self.slips[booking]
        no("BookingOver", slip.state != "booked" or slip.date < self.date)
        return slip

    def on_cancel(self, command: c.CancelAppointment, at: datetime) -> str:
        slip = self.slip(command.booking)
        before = self.catalogue.booking.cancel_before_s * SECOND
        no("CancelledTooLate", slip.slot_at - at < before)
        slip.state = "cancelled"
        return command.booking

    def on_check_in(self, command: c.CheckIn, at: datetime) -> str:
        no("HallIsClosed", self.closed)
        slip = self.slip(command.booking)
        no("NotToday", slip.date != self.date)
        item, demands = self.item(slip.item), self.catalogue.booking
        if slip.person:
            self.within_person(item.id, slip.person)
        late = at - slip.slot_at > demands.grace_s * SECOND
        due = slip.slot_at - demands.early_s * SECOND
        if late:
            due = max(due, at - demands.late_credit_s * SECOND)
        kind = "normal" if late else "appointment"
        card = Card(self.number(item.id, booked=not late), item.id, kind, at)
        card.person, card.then = slip.person, item.then
        card.standing = self.arrive(due, kind)
        self.cards[card.id] = card
        slip.state = "checked_in"
        return card.id

    # ── The hall ────────────────────────────────────────────────────────────

    def on_close_hall(self, command: c.CloseHall, at: datetime) -> str:
        no("HallIsClosed", self.closed)
        self.facts += 1
        absent = self.still_missing(at) if command.reason == "clerk" else []
        self.close()
        for slip in absent:
            slip.state = "missed"
        return ""

    def on_reopen_hall(self, command: c.ReopenHall, at: datetime) -> str:
        no("HallNotClosed", not self.closed)
        self.closed = False
        return ""

    def on_outage(self, command: c.DeclareOutage, at: datetime) -> str:
        length = command.to_at - command.from_at
        no("BadOutage", not timedelta() < length <= timedelta(days=1))
        begins = self.catalogue.business_date(command.from_at)
        no("BadOutage", begins != self.date)
        return ""

    def on_publish(self, command: c.PublishCatalogue, at: datetime) -> str:
        new = command.catalogue
        try:
            check(new)
        except BadCatalogue:
            no("BadInput")
        windows = [window.id for window in new.windows]
        for id, desk in self.desks.items():
            no("WindowStillOpen", desk.state != "closed" and id not in windows)
        items = [item.id for item in new.items]
        for card in self.cards.values():
            no("ItemStillWanted", card.state in OPEN and card.item not in items)
        self.publish(new)
        return ""
