"""A rehearsal (演练): simulated visitors and clerks who use the real doors.

Visitors take tickets and rate over HTTP, clerks press keys over their websockets, all
on the hall's own clock, which may run faster than the wall's. Same seed, same crowd.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import msgspec

from callers.client import Busy, Offline, Refusal, Unanswered, WindowClient
from callers.messages import InHand
from floor.catalogue import Catalogue, Item, Window
from floor.facts import Level

# What a hall of this size sees (facts measured on real logs): a morning and an
# afternoon hump, one in fourteen not there when called, two in three rate.
LOAD = 0.8
HUMPS = ((0.6, 10.0, 0.75), (0.4, 14.6, 0.7))  # share, hour, spread in hours
NO_SHOW = 0.07
COMES_BACK = 0.6  # Of those who were not there.
CARE = 0.05
# Of those served: who has to fetch something, and who is at the wrong window.
FETCHES = 0.03
GOES_ON = 0.02
INVITES = 0.93
RATES = 0.66
GIVES_UP = 0.15  # Of those who still wait after a while.
LEVELS = (
    (Level.VERY_SATISFIED, 80),
    (Level.SATISFIED, 13),
    (Level.BASICALLY_SATISFIED, 4),
    (Level.DISSATISFIED, 2),
    (Level.VERY_DISSATISFIED, 1),
)
RECALLS = 2
BEFORE_OPENING = timedelta(minutes=5)
CONNECTING_S = 2
# Later nobody is sent away or comes back who could not be served any more.
LAST_HOUR = timedelta(hours=1)
OVERTIME = timedelta(minutes=30)  # 延时服务: whoever took a number is still served.

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def fast_clock(catalogue: Catalogue, now: datetime, speed: float) -> Clock:
    """A clock that begins before the next opening and runs faster than the wall's."""
    day = catalogue.business_date(now)
    # A week holds every weekday, and a catalogue may name none of them.
    for _ in range(7):
        if catalogue.open_spans(day):
            break
        day += timedelta(days=1)
    # However fast the day runs, the clerks have time to connect before it opens.
    lead = max(BEFORE_OPENING, timedelta(seconds=CONNECTING_S * speed))
    begin = catalogue.open_spans(day)[0][0] - lead
    began = time.monotonic()
    return lambda: begin + timedelta(seconds=(time.monotonic() - began) * speed)


class Tally(msgspec.Struct):
    """What happened in a rehearsal, as those who did it saw it."""

    taken: int = 0
    called: int = 0
    served: int = 0
    no_shows: int = 0
    returned: int = 0
    held: int = 0
    transferred: int = 0
    abandoned: int = 0
    rated: int = 0
    refused: int = 0

    def words(self) -> dict[str, int]:
        """As plain values."""
        return msgspec.structs.asdict(self)


class Rehearsal:
    """One day of a hall.

    Args:
        url: of a hall that is being served.
        clock: the hall's clock; `speed` is how much faster it runs than the wall's.
        staffed: windows that have a simulated clerk.
    """

    def __init__(
        self,
        url: str,
        catalogue: Catalogue,
        clock: Clock,
        *,
        speed: float,
        seed: int,
        staffed: tuple[Window, ...],
    ) -> None:
        self._url = url
        self._catalogue = catalogue
        self._clock = clock
        self._speed = speed
        self._seed = seed
        self._staffed = staffed
        spans = catalogue.open_spans(catalogue.business_date(clock()))
        assert spans, "A rehearsal is held on a day that the hall opens."
        self._spans = spans
        self._aside: set[asyncio.Task[None]] = set()
        #: Tickets on hold at each window, and when their visitors are back.
        self._held: dict[str, dict[str, datetime]] = {w.id: {} for w in staffed}
        self.tally = Tally()

    async def play(self) -> Tally:
        """The whole day, from opening to closing the hall."""
        async with httpx.AsyncClient(base_url=self._url, timeout=10) as http:
            self._http = http
            async with asyncio.TaskGroup() as day:
                for window in self._staffed:
                    day.create_task(self._clerk(window))
                for at, item in self._arrivals():
                    day.create_task(self._visitor(at, item))
            await asyncio.gather(*self._aside)
            await self._post("/api/hall/close")
        return self.tally

    # ── Visitors ────────────────────────────────────────────────────────────

    def _arrivals(self) -> list[tuple[datetime, Item]]:
        """When visitors come, and for what, so that the staff is busy but able."""
        chance = random.Random(self._seed)
        able = {id for window in self._staffed for id in window.items}
        arrivals = []
        for item in self._catalogue.items:
            if item.id in able:
                for _ in range(self._crowd(item)):
                    arrivals.append((self._arrival(chance), item))
        return sorted(arrivals, key=lambda arrival: (arrival[0], arrival[1].id))

    def _crowd(self, item: Item) -> int:
        """How many visitors come for an item."""
        open_s = sum((end - start).total_seconds() for start, end in self._spans)
        hands = sum(
            1 / len(window.items) for window in self._staffed if item.id in window.items
        )
        return max(1, math.floor(LOAD * hands * open_s / (item.service_s + 60)))

    def _arrival(self, chance: random.Random) -> datetime:
        """An instant within the open hours, from one of the day's humps."""
        _, hour, spread = chance.choices(HUMPS, [hump[0] for hump in HUMPS])[0]
        midnight = (
            self._spans[0][0].astimezone(self._catalogue.zone).replace(hour=0, minute=0)
        )
        at = midnight + timedelta(hours=chance.gauss(hour, spread))
        first, last = self._spans[0][0], self._spans[-1][1] - timedelta(minutes=20)
        return min(max(at, first + timedelta(seconds=chance.uniform(0, 1800))), last)

    async def _visitor(self, at: datetime, item: Item) -> None:
        chance = random.Random(f"{self._seed}/{at}/{item.id}")
        await self._until(at)
        kind = "care" if chance.random() < CARE else "normal"
        taken = await self._post("/api/tickets", item=item.id, kind=kind)
        if taken is None:
            return
        self.tally.taken += 1
        if chance.random() < GIVES_UP:
            await self._rest(chance.uniform(300, 1500))
            path = f"/api/tickets/{taken['ticket']}"
            where = (await self._http.get(path)).json()
            if where["state"] == "waiting" and await self._post(f"{path}/abandonment"):
                self.tally.abandoned += 1

    async def _come_back(self, ticket: str, chance: random.Random) -> None:
        """Whoever was not there hears of it, and asks at the desk to wait again."""
        await self._rest(chance.uniform(60, 600))
        if await self._post(f"/api/tickets/{ticket}/requeue"):
            self.tally.returned += 1

    async def _rate(self, ticket: str, chance: random.Random) -> None:
        await self._rest(chance.uniform(5, 40))
        level = chance.choices(
            [level for level, _ in LEVELS], [weight for _, weight in LEVELS]
        )[0]
        if await self._post(f"/api/tickets/{ticket}/evaluation", level=level):
            self.tally.rated += 1

    async def _post(self, path: str, **words: str) -> dict[str, str] | None:
        """What the hall answered; None when it said no."""
        body = {**words, "command_id": str(uuid4())}
        answer = await self._http.post(path, json=body)
        if answer.is_success:
            return dict(answer.json())
        self.tally.refused += 1
        return None

    # ── Clerks ──────────────────────────────────────────────────────────────

    async def _clerk(self, window: Window) -> None:
        chance = random.Random(f"{self._seed}/{window.id}")
        early = timedelta(minutes=chance.uniform(-3, 6))
        await self._until(self._spans[0][0] - early)
        async with WindowClient(self._url, window.id) as client:
            await self._press(client, "open", clerk=f"2{int(window.id):03d}")
            for number, (start, end) in enumerate(self._spans):
                if number:
                    await self._until(start + timedelta(minutes=chance.uniform(-2, 4)))
                    await self._press(client, "resume")
                last = number == len(self._spans) - 1
                await self._work(client, chance, end, last=last)
                if not last:
                    await self._press(client, "pause", reason="就餐")
            await self._press(client, "close")

    async def _work(
        self, client: WindowClient, chance: random.Random, end: datetime, *, last: bool
    ) -> None:
        """Call and serve until the span ends; at the day's end, all who wait."""
        stop = end + OVERTIME if last else end
        while self._clock() < stop:
            board = client.board
            # Whatever was asked before, the board says what is to be done next.
            if board is not None and board.in_hand is not None:
                await self._serve(client, board.in_hand, chance)
            elif back := self._back(client.window):
                if await self._press(client, "return", ticket=back):
                    del self._held[client.window][back]
                else:
                    await self._rest(10)
            elif board is None or not board.waiting:
                if self._clock() >= end and not self._held[client.window]:
                    return
                await self._rest(20)
            elif await self._press(client, "call"):
                self.tally.called += 1
            else:
                await self._rest(10)

    async def _serve(
        self, client: WindowClient, in_hand: InHand, chance: random.Random
    ) -> None:
        """From the call to the end of service, or to the no-show."""
        if in_hand.started_at is None:
            await self._rest(chance.uniform(15, 70))
            if chance.random() < NO_SHOW:
                await self._wait_in_vain(client, in_hand.ticket, chance)
                return
            if not await self._press(client, "start"):
                return
            if await self._send_away(client, in_hand, chance):
                return
        mean_s = in_hand.service_s * 0.72
        await self._rest(min(mean_s * chance.lognormvariate(-0.1, 0.45), 5400))
        if not await self._press(client, "finish"):
            return
        self.tally.served += 1
        if chance.random() < INVITES:
            await self._press(client, "invite")
            if chance.random() < RATES:
                self._beside(self._rate(in_hand.ticket, chance))
        await self._rest(chance.uniform(5, 40))

    def _back(self, window: str) -> str | None:
        """A ticket on hold whose visitor has come back to the window."""
        held = self._held[window].items()
        return next((id for id, back_at in held if back_at <= self._clock()), None)

    async def _send_away(
        self, client: WindowClient, in_hand: InHand, chance: random.Random
    ) -> bool:
        """Now and then somebody has to fetch something, or is at the wrong window."""
        fate = chance.random()
        if fate >= FETCHES + GOES_ON or self._late():
            return False
        await self._rest(chance.uniform(30, 120))
        if fate < FETCHES:
            if not await self._press(client, "hold", reason="取材料"):
                return False
            away = timedelta(seconds=chance.uniform(180, 900))
            self._held[client.window][in_hand.ticket] = self._clock() + away
            self.tally.held += 1
            return True
        able = {id for window in self._staffed for id in window.items}
        item = chance.choice(sorted(able - {in_hand.item}) or [in_hand.item])
        if not await self._press(client, "transfer", item=item):
            return False
        self.tally.transferred += 1
        return True

    def _late(self) -> bool:
        return self._clock() > self._spans[-1][1] - LAST_HOUR

    async def _wait_in_vain(
        self, client: WindowClient, ticket: str, chance: random.Random
    ) -> None:
        """Call again, then declare the no-show; some clerks are too quick with it."""
        for _ in range(chance.choice((RECALLS, RECALLS, 1))):
            await self._press(client, "recall")
            await self._rest(chance.uniform(25, 45))
        if await self._press(client, "no-show"):
            self.tally.no_shows += 1
            if chance.random() < COMES_BACK and not self._late():
                self._beside(self._come_back(ticket, chance))

    def _beside(self, job: Coroutine[None, None, None]) -> None:
        """Let a visitor do something while the clerk goes on."""
        task = asyncio.create_task(job)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _press(self, client: WindowClient, word: str, **words: str) -> bool:
        """One key; whether the hall carried it out."""
        try:
            await client.say(word, **words)
        except (Refusal, Offline, Busy, Unanswered) as error:
            logger.info("%s at window %s: %r", word, client.window, error)
            self.tally.refused += 1
            return False
        return True

    # ── Time ────────────────────────────────────────────────────────────────

    async def _until(self, at: datetime) -> None:
        await self._rest((at - self._clock()).total_seconds())

    async def _rest(self, seconds: float) -> None:
        """Let so many seconds pass on the hall's clock."""
        await asyncio.sleep(max(0.0, seconds) / self._speed)
