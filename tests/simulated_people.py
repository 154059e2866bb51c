"""Who comes to a simulated hall: visitors, clerks, a manager, and careless fingers."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta

import msgspec

from floor import commands, facts
from floor.commands import Command
from floor.day import Day
from floor.facts import Level
from floor.hall import Receipt
from floor.refusals import Refused
from simulated_network import ATTEMPTS_MAX, Network, Screen
from simulated_presses import ANY, KEYS, PRESSES, Sight, fits
from simulated_stage import HOUR_S, Stage

OPEN_S, CLOSE_S = 9 * HOUR_S, 17 * HOUR_S
RUSH_MAX = 30
VISITORS_MIN, VISITORS_MAX = 2, 24
BOOKERS_MAX = 10
#: How often a visitor looks whether the turn has come, and how long it looks away.
LOOKS_MAX, LOOK_S = 3, 1_200
#: A share of people ask two or three times, and go away without an answer.
IMPATIENT = 0.1
PRESSED_TWICE = 0.04
PRESSED_BY_MISTAKE = 0.05
#: How long a clerk who has nothing to do looks away.
IDLE_S = 900.0
# Two days later an id is forgotten, and nobody retries for so long.
IDS_KNOWN = 50

Answer = Receipt | Refused | None


class People:
    """Everybody who presses something in one hall.

    Args:
        screen: what they all look at; it may be behind.
    """

    def __init__(self, stage: Stage, network: Network, screen: Screen) -> None:
        self._stage = stage
        self._network = network
        self._screen = screen
        self._chance = stage.people
        self._presses = 0
        self._ids: list[str] = []

    def come(self, day_s: float) -> None:
        """Everybody of the day that begins at this instant."""
        chance = self._chance
        self._ids = []
        visitors = chance.randint(VISITORS_MIN, VISITORS_MAX)
        arrivals = [
            day_s + chance.uniform(OPEN_S - HOUR_S / 4, CLOSE_S)
            for _ in range(visitors)
        ]
        if chance.random() < 0.2:  # A coach arrives.
            at_s = day_s + chance.uniform(OPEN_S, CLOSE_S - HOUR_S)
            arrivals += [at_s] * chance.randint(RUSH_MAX // 4, RUSH_MAX)
        for at_s in arrivals:
            self._begin(self._visit(at_s))
        if self._stage.catalogue.booking.quota:
            for _ in range(chance.randint(0, BOOKERS_MAX)):
                at_s = day_s + chance.uniform(OPEN_S - 2 * HOUR_S, CLOSE_S)
                self._begin(self._keep_appointment(at_s))
        for window in self._stage.catalogue.windows:
            self._begin(self._work(window.id, day_s))
        for _ in range(chance.randint(0, 12)):
            at_s = day_s + chance.uniform(OPEN_S - HOUR_S, CLOSE_S + HOUR_S)
            self._begin(self._meddle(at_s))
        for _ in range(chance.randint(0, 4)):  # Around midnight.
            at_s = day_s + chance.uniform(23.5 * HOUR_S, 24.7 * HOUR_S)
            self._begin(self._meddle(at_s))
        self._manage(day_s)

    def _manage(self, day_s: float) -> None:
        """What is done for the hall as a whole, by whoever has the key."""
        chance = self._chance
        opening = day_s + OPEN_S, day_s + CLOSE_S
        if chance.random() < 0.6:
            at_s = day_s + CLOSE_S + chance.uniform(0, HOUR_S / 2)
            self._begin(self._press_at(at_s, "close-hall"))
        if chance.random() < 0.08:
            at_s = chance.uniform(*opening)
            word = chance.choice(("close-hall", "emergency"))
            self._begin(self._press_at(at_s, word))
            if chance.random() < 0.8:
                at_s += chance.uniform(60, HOUR_S)
                self._begin(self._press_at(at_s, "reopen-hall"))
        for word, share in (("publish", 0.3), ("outage", 0.1)):
            if chance.random() < share:
                self._begin(self._press_at(chance.uniform(*opening), word))

    def follow(self, script: Sequence[Sequence[Command]], day_s: float) -> None:
        """Only what a script says, each person one after the other from nine."""
        for presses in script:
            self._begin(self._read_out(presses, day_s + OPEN_S))

    async def _read_out(self, presses: Sequence[Command], at_s: float) -> None:
        await self._until(at_s)
        for command in presses:
            await self._ask(command, patient=True)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        self._stage.loop.create_task(work, context=self._stage.outside)

    # ── Visitors ────────────────────────────────────────────────────────────

    async def _visit(self, at_s: float) -> None:
        await self._until(at_s)
        word = "take" if self._chance.random() < 0.85 else "take-at-desk"
        await self._see_it_through(await self._press(word, self._sight("1")))

    async def _keep_appointment(self, at_s: float) -> None:
        """Book; then come early, late or never, or give the booking back."""
        chance = self._chance
        await self._until(at_s)
        booked = await self._press("book", self._sight("1"))
        if not isinstance(booked, Receipt):
            return
        fact = booked.entry.fact
        assert isinstance(fact, facts.AppointmentBooked)
        slot_s = (fact.slot_at - self._stage.midnight) / timedelta(seconds=1)
        fate = chance.random()
        if fate < 0.15:
            return
        if fate < 0.3:
            now_s = self._stage.loop.time()
            await self._until(now_s + chance.random() ** 2 * (slot_s - now_s))
            await self._ask(commands.CancelAppointment(booking=fact.booking))
            if chance.random() < 0.8:  # And then again.
                again = commands.BookAppointment(
                    item=fact.item, slot_at=fact.slot_at, person=fact.person
                )
                await self._ask(again)
            return
        await self._until(slot_s + chance.gauss(-200, 900))
        came = await self._ask(commands.CheckIn(booking=fact.booking))
        if isinstance(came, Receipt) and chance.random() < 0.2:
            await self._ask(commands.DeferTicket(ticket=_ticket_of(came)))
        await self._see_it_through(came)

    async def _see_it_through(self, came: Answer) -> None:
        """Look now and then: give up, let others go first, come back, rate."""
        if not isinstance(came, Receipt):
            return
        chance, ticket = self._chance, _ticket_of(came)
        for _ in range(LOOKS_MAX):
            await asyncio.sleep(chance.expovariate(1 / LOOK_S))
            shown = self._screen.day.tickets.get(ticket) if self._screen.day else None
            state = shown.state if shown else "waiting"
            command = self._wish(ticket, state)
            if command is not None:
                await self._ask(command)
            if state in ("served", "abandoned", "closed"):
                return

    def _wish(self, ticket: str, state: str) -> Command | None:
        """What a visitor wants who sees the own number like this."""
        wish = self._chance.random()
        if state == "no_show" and wish < 0.8:
            return commands.RequeueTicket(ticket=ticket)
        if state == "served" and wish < 0.7:
            level = self._chance.choice(tuple(Level))
            return commands.Evaluate(ticket=ticket, level=level)
        if state in ("waiting", "held") and wish < 0.15:
            return commands.AbandonTicket(ticket=ticket)
        if state == "waiting" and wish < 0.25:
            return commands.DeferTicket(ticket=ticket)
        return None

    # ── Clerks and others ───────────────────────────────────────────────────

    async def _work(self, window: str, day_s: float) -> None:
        """A clerk's day: look at the screen, press what fits, now and then not."""
        chance, clerk = self._chance, f"c{window}"
        await self._until(day_s + OPEN_S + chance.gauss(0, 300))
        end_s = day_s + CLOSE_S
        while self._stage.loop.time() < end_s:
            sight = self._sight(self._seat_of(clerk) or window)
            mean_s, keys = KEYS[sight.place().state]
            if _idle(sight) and chance.random() < 0.95:
                await asyncio.sleep(IDLE_S * (0.5 + chance.random()))
                continue
            await asyncio.sleep(chance.expovariate(1 / mean_s))
            (word,) = chance.choices(tuple(keys), tuple(keys.values()))
            if chance.random() < PRESSED_BY_MISTAKE:
                word = chance.choice(ANY)
            elif not fits(word, sight):
                word = next(iter(keys))
            if chance.random() < PRESSED_TWICE:
                self._begin(self._again(word, sight))
            await self._press(word, sight)

    def _seat_of(self, clerk: str) -> str:
        """The window where the screen shows this clerk; empty for none."""
        places = self._screen.day.places.values() if self._screen.day else ()
        return next((place.id for place in places if place.clerk == clerk), "")

    async def _again(self, word: str, sight: Sight) -> None:
        await self._press(word, sight)

    async def _meddle(self, at_s: float) -> None:
        """Anything at any window, sometimes under an id that was used before."""
        await self._until(at_s)
        chance = self._chance
        sight = self._sight(chance.choice(self._stage.catalogue.windows).id)
        used = self._ids and chance.random() < 0.2
        id = chance.choice(self._ids) if used else ""
        await self._press(chance.choice(ANY), sight, id)

    async def _press_at(self, at_s: float, word: str) -> None:
        await self._until(at_s)
        await self._press(word, self._sight("1"))

    # ── How they press ──────────────────────────────────────────────────────

    def _sight(self, window: str) -> Sight:
        chance, day = self._chance, self._screen.day
        at = window if chance.random() < 0.99 else chance.choice("1234")
        catalogue = day.catalogue if day else self._stage.catalogue
        clock = self._stage.clock
        return Sight(chance, catalogue, day, clock, window, clerk=f"c{at}")

    async def _press(self, word: str, sight: Sight, id: str = "") -> Answer:
        return await self._ask(PRESSES[word](sight), id)

    async def _ask(
        self, command: Command, id: str = "", *, patient: bool = False
    ) -> Answer:
        command = msgspec.structs.replace(command, command_id=id or self._id())
        impatient = not patient and self._chance.random() < IMPATIENT
        patience = self._chance.randint(1, 3) if impatient else ATTEMPTS_MAX
        return await self._network.ask(command, patience)

    def _id(self) -> str:
        self._presses += 1
        id = f"p{self._presses}"
        self._ids = [*self._ids[-IDS_KNOWN:], id]
        return id

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self._stage.loop.time()))


def _idle(sight: Sight) -> bool:
    """Nothing to do at this window, as far as the screen shows."""
    day, place = sight.day, sight.place()
    if day is None or day.closed or sight.window not in day.windows:
        return day is not None
    return place.state == "free" and not _wanted(day, sight)


def _wanted(day: Day, sight: Sight) -> bool:
    place = sight.place()
    lines = (*place.items, *day.own_lines(place))
    return bool(place.held) or any(day.lines.get(line) for line in lines)


def _ticket_of(receipt: Receipt) -> str:
    ticket: str = getattr(receipt.entry.fact, "ticket", "")
    return ticket
