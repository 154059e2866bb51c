"""Between people and the hall: messages late, lost, twice; connections that break."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

from floor import facts
from floor.commands import Command
from floor.day import Day, advance
from floor.facts import Entry
from floor.hall import Receipt
from floor.refusals import HallOverloaded, LogUnavailable, LogUnsure, Refused
from simulated_stage import Stage

RETRY_S, RETRY_S_MAX = 15.0, 60.0
# The longest fault lasts minutes; whoever is patient outlives it.
ATTEMPTS_MAX = 2_000
# What may be under way on one connection before its sender has to wait.
IN_FLIGHT_MAX = 4
STALL_S = 120.0
COME_BACK_S = 5.0
AWAY_S = 900.0

#: After these nothing is decided yet, and a patient client asks again.
TRY_AGAIN = (HallOverloaded, LogUnavailable, LogUnsure)


class Exchange:
    """One command of one client, until it is answered or given up.

    patience: how often the client asks.
    """

    def __init__(self, stage: Stage, command: Command, patience: int) -> None:
        self.command = command
        self.patience = patience
        self.attempts = 0
        self.asked_s = stage.loop.time()
        self.answered_s: float | None = None
        self.answer: Receipt | Refused | None = None
        self.again: asyncio.Handle | None = None  # The next attempt.
        self.over: asyncio.Future[None] = stage.loop.create_future()


class Server(Protocol):
    """What a process is to the network."""

    context: Context

    def arrive(self, exchange: Exchange) -> None: ...
    def attend(self, connection: "Connection") -> Callable[[], object] | None: ...


class Network:
    """Carries commands to whichever process serves, and its answers back."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.server: Server | None = None
        self._exchanges: list[Exchange] = []
        self.connections: dict[Connection, None] = {}
        self.away: list[Screen] = []

    async def ask(
        self, command: Command, patience: int = ATTEMPTS_MAX
    ) -> Receipt | Refused | None:
        """Send a command, again and again with the same id, until it is answered.

        Returns:
            the last answer; None when the client gave up without one.
        """
        exchange = Exchange(self.stage, command, patience)
        self._exchanges.append(exchange)
        self._send(exchange)
        await exchange.over
        return exchange.answer

    def take_exchanges(self) -> list[Exchange]:
        """All that was asked since this was called last."""
        taken, self._exchanges = self._exchanges, []
        return taken

    def _send(self, exchange: Exchange) -> None:
        if exchange.over.done():
            return
        if exchange.attempts == exchange.patience:
            exchange.over.set_result(None)
            return
        exchange.attempts += 1
        self.stage.note("asked", exchange.command.command_id, exchange.attempts)
        for delay in self._deliveries():
            self.later(delay, self._arrive, exchange)
        lag = min(RETRY_S * exchange.attempts, RETRY_S_MAX)
        exchange.again = self.later(lag, self._send, exchange)

    def _arrive(self, exchange: Exchange) -> None:
        for screen in self.away:
            self.later(0.02 * self.stage.network.random(), screen.connect)
        self.away.clear()
        if self.server is not None:
            self.server.arrive(exchange)

    def reply(self, exchange: Exchange, answer: Receipt | Refused) -> None:
        """Send an answer back; it may be lost on the way, or come twice."""
        for delay in self._deliveries():
            self.later(delay, self._answered, exchange, answer)

    def _answered(self, exchange: Exchange, answer: Receipt | Refused) -> None:
        if exchange.over.done():
            return
        exchange.answer = answer
        if isinstance(answer, TRY_AGAIN):
            return  # The timer of the next attempt runs already.
        exchange.answered_s = self.stage.loop.time()
        if exchange.again is not None:
            exchange.again.cancel()
        exchange.over.set_result(None)

    def _deliveries(self) -> list[float]:
        """When each copy of a message arrives: none, one or two."""
        stage = self.stage
        chance, faults = stage.network.random, stage.faults
        if chance() < faults.lost:
            stage.counts["lost"] += 1
            return []
        if chance() < faults.doubled:
            stage.counts["doubled"] += 1
            return [stage.delay(), stage.delay()]
        return [stage.delay()]

    def later(
        self, delay: float, do: Callable[..., object], *words: object
    ) -> asyncio.Handle:
        stage = self.stage
        return stage.loop.call_later(delay, do, *words, context=stage.outside)

    def cut_all(self) -> None:
        """The process is gone, and every connection with it."""
        for connection in tuple(self.connections):
            connection.cut()


class Screen:
    """A follower far away: it keeps a day of its own from the facts it hears.

    Args:
        forgets: how often, of its connections, it has to begin with the first fact.
    """

    def __init__(self, name: str, network: Network, forgets: float) -> None:
        self.name = name
        self.forgets = forgets
        self.position = 0
        self.day: Day | None = None
        self._network = network
        self._connection: Connection | None = None

    def connect(self) -> None:
        """Come to the hall, from the last position; later if nobody is there."""
        if self._connection is not None:
            return
        network = self._network
        connection = Connection(network, self)
        leave = network.server.attend(connection) if network.server else None
        if leave is None:
            network.later(COME_BACK_S, self.connect)
            return
        connection.leave = leave
        self._connection = connection
        network.connections[connection] = None

    def lost(self) -> None:
        """The connection broke: what was under way on it will not come."""
        self._connection = None
        if self._network.stage.network.random() < self.forgets:
            self.position, self.day = 0, None
        # With the next command, as a rule: the hardest moment to come back is when
        # something is about to be told.
        self._network.away.append(self)
        lag = AWAY_S * self._network.stage.network.random()
        self._network.later(lag, self.connect)

    def hear(self, connection: "Connection", entry: Entry) -> None:
        """Take a fact in; each comes once, in order, and is durable."""
        if connection is not self._connection:
            return
        stage = self._network.stage
        if entry.position != self.position + 1:
            stage.wrong(f"{self.name} heard {entry.position} after {self.position}")
            return
        rows = stage.disk.rows
        if len(rows) < entry.position or (
            rows[entry.position - 1].state != facts.encode(entry.fact)
        ):
            stage.wrong(f"{self.name} heard {entry.position}, which is not durable")
            return
        self.position = entry.position
        self.day = advance(self.day, entry)


class Connection:
    """One follower's connection: in order, until it breaks."""

    def __init__(self, network: Network, screen: Screen) -> None:
        self.screen = screen
        self.since = screen.position
        self.broken = False
        #: Tells the process that nobody is there any more.
        self.leave: Callable[[], object] = lambda: None
        self._network = network
        self._under_way: deque[Entry] = deque()
        self._arrives_s = 0.0
        self._room: asyncio.Future[None] | None = None

    async def send(self, entry: Entry) -> None:
        """Put a fact on its way; waits while too much is under way.

        Raises:
            ConnectionError: it broke.
        """
        stage = self._network.stage
        if not self.broken and stage.network.random() < stage.faults.cut:
            self.cut()
        if self.broken:
            raise ConnectionError("The connection is broken.")
        arrives_s = stage.loop.time() + stage.delay()
        if stage.network.random() < stage.faults.stalled:
            stage.note("stalled", self.screen.name)
            arrives_s += STALL_S
        self._arrives_s = max(self._arrives_s, arrives_s)
        self._under_way.append(entry)
        stage.loop.call_at(self._arrives_s, self._deliver, context=stage.outside)
        while len(self._under_way) > IN_FLIGHT_MAX and not self.broken:
            self._room = stage.loop.create_future()
            await self._room

    def _deliver(self) -> None:
        self.screen.hear(self, self._under_way.popleft())
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def cut(self) -> None:
        """Break; both ends learn of it, each in its time."""
        if self.broken:
            return
        self.broken = True
        network = self._network
        network.stage.note("cut", self.screen.name)
        network.connections.pop(self, None)
        network.later(network.stage.delay(), self.screen.lost)
        network.later(network.stage.delay(), self.leave)
