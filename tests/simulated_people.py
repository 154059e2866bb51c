"""Who comes to a simulated hall: visitors, clerks, a manager, and careless fingers.

What can be pressed is one table, `PRESSES`; what a clerk presses when is another,
`KEYS`. A new command is a line in each.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random

import msgspec

from floor import commands
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day
from floor.facts import Level
from floor.hall import Receipt
from floor.refusals import Refused
from simulated_network import ATTEMPTS_MAX, Network, Screen
from simulated_stage import Stage

HOUR_S = 3_600
OPEN_S, CLOSE_S = 9 * HOUR_S, 17 * HOUR_S
RUSH_MAX = 40
VISITORS_MIN, VISITORS_MAX = 4, 32
#: A share of people ask two or three times, and go away without an answer.
IMPATIENT = 0.1
PRESSED_TWICE = 0.04
PRESSED_BY_MISTAKE = 0.05


class Sight(msgspec.Struct):
    """What somebody who is about to press knows."""

    chance: Random
    catalogue: Catalogue
    day: Day | None
    window: str
    clerk: str

    def item(self) -> str:
        return self.chance.choice(self.catalogue.items).id

    def some(self, *states: str) -> str:
        """A ticket that the screen shows in one of these states, or any number."""
        shown = self.day.tickets.values() if self.day else ()
        known = [ticket.id for ticket in shown if ticket.state in states]
        if known and self.chance.random() < 0.95:
            return self.chance.choice(known)
        return f"A{self.chance.randint(1, 9):03d}"

    def held(self) -> str:
        """The ticket in hand, or none named, or a wrong one."""
        place = self.day.places.get(self.window) if self.day else None
        which = self.chance.random()
        if which < 0.5 or place is None:
            return ""
        return place.ticket if which < 0.95 else self.some("called", "serving")


PRESSES: dict[str, Callable[[Sight], Command]] = {
    "open": lambda s: commands.OpenWindow(window=s.window, clerk=s.clerk),
    "pause": lambda s: commands.PauseWindow(window=s.window, reason="茶"),
    "resume": lambda s: commands.ResumeWindow(window=s.window),
    "close": lambda s: commands.CloseWindow(window=s.window),
    "call": lambda s: commands.CallNext(window=s.window),
    "call-ticket": lambda s: commands.CallTicket(
        window=s.window, ticket=s.some("waiting"), reason="急"
    ),
    "recall": lambda s: commands.RecallTicket(window=s.window, ticket=s.held()),
    "no-show": lambda s: commands.DeclareNoShow(window=s.window, ticket=s.held()),
    "start": lambda s: commands.StartService(window=s.window, ticket=s.held()),
    "finish": lambda s: commands.FinishService(
        window=s.window,
        ticket=s.held(),
        outcome=s.chance.choice(("done", "not_done")),
    ),
    "invite": lambda s: commands.InviteEvaluation(window=s.window),
    "take": lambda s: commands.TakeTicket(
        item=s.item(), kind=s.chance.choice(("normal", "priority", "care"))
    ),
    "abandon": lambda s: commands.AbandonTicket(ticket=s.some("waiting")),
    "evaluate": lambda s: commands.Evaluate(
        ticket=s.some("served"), level=s.chance.choice(tuple(Level))
    ),
}

#: For each state that the screen shows of a window: the mean seconds until the clerk
#: presses, and what, with its weight.
KEYS: dict[str, tuple[float, dict[str, int]]] = {
    "closed": (120, {"open": 1}),
    "free": (30, {"call": 20, "call-ticket": 2, "pause": 1, "close": 1, "invite": 5}),
    "called": (25, {"start": 9, "recall": 3, "no-show": 2}),
    "serving": (500, {"finish": 1}),
    "paused": (300, {"resume": 1}),
}
#: How long a clerk who has nothing to do looks away.
IDLE_S = 900.0


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
        for window in self._stage.catalogue.windows:
            self._begin(self._work(window.id, day_s))
        for _ in range(chance.randint(0, 12)):
            at_s = day_s + chance.uniform(OPEN_S - HOUR_S, CLOSE_S + HOUR_S)
            self._begin(self._meddle(at_s))
        for _ in range(chance.randint(0, 4)):  # Around midnight.
            at_s = day_s + chance.uniform(23.5 * HOUR_S, 24.5 * HOUR_S)
            self._begin(self._meddle(at_s))
        if chance.random() < 0.6:
            self._begin(self._lock_up(day_s + CLOSE_S + chance.uniform(0, HOUR_S / 2)))
        elif chance.random() < 0.05:
            self._begin(self._lock_up(day_s + chance.uniform(OPEN_S, CLOSE_S)))

    def follow(self, script: Sequence[Sequence[Command]], day_s: float) -> None:
        """Only what a script says, each person one after the other from nine."""
        for presses in script:
            self._begin(self._read_out(presses, day_s + OPEN_S))

    async def _read_out(self, presses: Sequence[Command], at_s: float) -> None:
        await self._until(at_s)
        for command in presses:
            named = msgspec.structs.replace(command, command_id=self._id())
            await self._network.ask(named)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        self._stage.loop.create_task(work, context=self._stage.outside)

    async def _visit(self, at_s: float) -> None:
        """Take a ticket; give up when it takes too long, or rate what was done."""
        chance = self._chance
        await self._until(at_s)
        taken = await self._press("take", self._sight("1"))
        if not isinstance(taken, Receipt):
            return
        ticket = getattr(taken.entry.fact, "ticket", "")
        await asyncio.sleep(chance.expovariate(1 / 1_500))
        if chance.random() < 0.25:
            await self._ask(
                commands.AbandonTicket(ticket=ticket, command_id=self._id())
            )
        elif chance.random() < 0.5:
            level = chance.choice(tuple(Level))
            await self._ask(
                commands.Evaluate(ticket=ticket, level=level, command_id=self._id())
            )

    async def _work(self, window: str, day_s: float) -> None:
        """A clerk's day: look at the screen, press what fits, now and then not."""
        chance = self._chance
        await self._until(day_s + OPEN_S + chance.gauss(0, 300))
        end_s = day_s + CLOSE_S
        while self._stage.loop.time() < end_s:
            sight = self._sight(window)
            state, waiting = "closed", False
            if sight.day is not None:
                place = sight.day.places[window]
                state = place.state
                waiting = any(sight.day.lines[item] for item in place.items)
            mean_s, keys = KEYS[state]
            await asyncio.sleep(chance.expovariate(1 / mean_s))
            idle = state == "free" and not waiting
            if (idle or (sight.day and sight.day.closed)) and chance.random() < 0.95:
                await asyncio.sleep(IDLE_S * (0.5 + chance.random()))
                continue
            (word,) = chance.choices(tuple(keys), tuple(keys.values()))
            if chance.random() < PRESSED_BY_MISTAKE:
                word = chance.choice(tuple(PRESSES))
            if chance.random() < PRESSED_TWICE:
                self._begin(self._again(word, sight))
            await self._press(word, sight)

    async def _again(self, word: str, sight: Sight) -> None:
        await self._press(word, sight)

    async def _meddle(self, at_s: float) -> None:
        """Anything at any window, sometimes under an id that was used before."""
        await self._until(at_s)
        chance = self._chance
        sight = self._sight(chance.choice(self._stage.catalogue.windows).id)
        word = chance.choice(tuple(PRESSES))
        used = self._ids and chance.random() < 0.2
        await self._press(word, sight, chance.choice(self._ids) if used else "")

    async def _lock_up(self, at_s: float) -> None:
        await self._until(at_s)
        await self._ask(commands.CloseHall(command_id=self._id()))

    # ── How they press ──────────────────────────────────────────────────────

    def _sight(self, window: str) -> Sight:
        chance = self._chance
        at = window if chance.random() < 0.99 else chance.choice("1234")
        return Sight(
            chance, self._stage.catalogue, self._screen.day, window, clerk=f"c{at}"
        )

    async def _press(
        self, word: str, sight: Sight, id: str = ""
    ) -> Receipt | Refused | None:
        command = PRESSES[word](sight)
        named = msgspec.structs.replace(command, command_id=id or self._id())
        return await self._ask(named)

    async def _ask(self, command: Command) -> Receipt | Refused | None:
        impatient = self._chance.random() < IMPATIENT
        patience = self._chance.randint(1, 3) if impatient else ATTEMPTS_MAX
        return await self._network.ask(command, patience)

    def _id(self) -> str:
        self._presses += 1
        id = f"p{self._presses}"
        # A day later an id is forgotten, and nobody retries for so long.
        self._ids = [*self._ids[-50:], id]
        return id

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self._stage.loop.time()))
