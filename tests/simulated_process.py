"""The hall's process: the real hall and feed, which start, serve, stop and die."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime

import msgspec

from floor import effects
from floor.door import DevGate, Floor
from floor.follow import Feed, Stalled, of_last_day
from floor.hall import DAYS_KNOWN, Draft, Hall, Receipt
from floor.log import LogUnreadable
from floor.refusals import LogFailed, LogUnsure, Refused
from simulated_disk import SimulatedLog
from simulated_network import Connection, Exchange, Network
from simulated_stage import Stage
from virtual_loop import Mortal, VirtualThread


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is made of; a test puts a part with a bug in its place."""

    log: Callable[..., SimulatedLog] = SimulatedLog
    draft: Callable[..., Draft] = Draft
    hall: Callable[..., Hall] = Hall
    feed: Callable[..., Feed] = Feed


class Attempt(msgspec.Struct, kw_only=True):
    """One arrival of a command at a process, for whoever judges.

    began_position, ended_position: of the disk then; ended is None when the process
        died over it.
    unsure: it was told that nobody knows, which is neither done nor not done.
    """

    exchange: Exchange
    began_position: int
    at: datetime
    ended_position: int | None = None
    unsure: bool = False
    receipt: Receipt | None = None
    refusal: Refused | None = None


class Process(Mortal):
    """One life of the server, on a disk that outlives it.

    Args:
        gone: told when it is dead, in whatever way.
    """

    def __init__(
        self,
        stage: Stage,
        network: Network,
        build: Build,
        attempts: list[Attempt],
        gone: Callable[["Process"], None],
    ) -> None:
        super().__init__()
        self.serving = False
        self.stop_soon = False
        self.draft: Draft | None = None
        self.feed: Feed | None = None
        self._stage = stage
        self._network = network
        self._build = build
        self._attempts = attempts
        self._gone = gone
        self._log = build.log(stage.disk, self)
        self._hall: Hall | None = None
        self._floor: Floor | None = None
        rate = stage.faults.crashes / 1_000
        if rate:
            self.dies_at = int(stage.trouble.expovariate(rate))
        self._spawn(self._serve())

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        return self._stage.loop.create_task(work, context=self.context)

    async def _serve(self) -> None:
        stage = self._stage
        log, catalogue = self._log, stage.catalogue
        try:
            known = log.recent(catalogue.hall, DAYS_KNOWN)
            self.feed = self._build.feed(of_last_day(known), log.read)
            self._hall = self._build.hall(log, catalogue, self.feed.publish, known)
            self._hall._thread = VirtualThread()
            await self._hall.start(stage.clock())
        except (LogUnreadable, LogFailed) as error:
            stage.note("start failed", type(error).__name__)
            await self._stop()
            return
        self._floor = Floor(self.feed, self._hall, stage.clock, DevGate(), b"")
        self.serving = True
        stage.note("serving", self.feed.position)
        await self._floor.turn_days()

    async def _stop(self) -> None:
        """An orderly end: what is being committed is finished."""
        self.serving = False
        if self._hall is not None:
            await self._hall.stop()
        self._log.close()
        # Answers that are ready still leave.
        await asyncio.sleep(0.01)
        self._stage.note("stopped")
        self.die()

    def die(self) -> None:
        """Vanish now: no task runs on, no answer leaves."""
        if self.alive:
            super().die()
            self.serving = False
            self._stage.note("died", self.steps)
            self._gone(self)

    # ── What the network brings ─────────────────────────────────────────────

    def arrive(self, exchange: Exchange) -> None:
        if not self.serving:
            return
        self._spawn(self._carry_out(exchange))
        if self.stop_soon:
            self.stop_soon = False
            lag = self._stage.trouble.random() * 0.01
            self._stage.loop.call_later(lag, self._begin_stop, context=self.context)

    def _begin_stop(self) -> None:
        if self.serving:
            self._spawn(self._stop())

    async def _carry_out(self, exchange: Exchange) -> None:
        stage = self._stage
        assert self._floor is not None
        attempt = Attempt(
            exchange=exchange,
            began_position=stage.disk.position,
            at=stage.clock(),
        )
        self._attempts.append(attempt)
        answer: Receipt | Refused
        try:
            answer = attempt.receipt = await self._floor.do(exchange.command)
            self._look_at(exchange, answer)
        except Refused as refusal:
            answer = attempt.refusal = refusal
        except Exception as error:
            stage.wrong(f"{exchange.command} broke the hall: {error!r}")
            return
        attempt.ended_position = stage.disk.position
        attempt.unsure = isinstance(answer, LogUnsure)
        id = exchange.command.command_id
        if isinstance(answer, Refused):
            stage.note("refused", id, answer.code)
            stage.counts[answer.code] += 1
        else:
            stage.note("done", id, answer.entry.position, answer.repeated)
            stage.counts["repeated"] += answer.repeated
        self._network.reply(exchange, answer)

    def _look_at(self, exchange: Exchange, receipt: Receipt) -> None:
        """An answer is durable, is about its command, and can be read at once."""
        stage, entry = self._stage, receipt.entry
        rows = stage.disk.rows
        if len(rows) < entry.position or rows[entry.position - 1].entry != entry:
            stage.wrong(f"{exchange.command} was answered before it was durable")
        if not effects.same(exchange.command, entry.fact):
            stage.wrong(f"{exchange.command} was answered by {entry.fact}")
        if self.feed is not None and self.feed.position < entry.position:
            stage.wrong(f"{exchange.command} was answered before readers knew")

    def attend(self, connection: Connection) -> Callable[[], object] | None:
        """Take a follower in; None when nobody is served now."""
        if not self.serving:
            return None
        return self._spawn(self._send_facts(connection)).cancel

    async def _send_facts(self, connection: Connection) -> None:
        assert self.feed is not None
        if connection.since > self.feed.position:
            self._stage.wrong(f"{connection.screen.name} is ahead of the hall")
            return
        follower = self.feed.follow(connection.since)
        try:
            async for entry in follower:
                await connection.send(entry)
        except Stalled:
            self._stage.note("cut off", connection.screen.name)
            connection.cut()
        except (ConnectionError, LogUnreadable):
            connection.cut()
        except Exception as error:
            self._stage.wrong(f"{connection.screen.name} broke: {error!r}")
        finally:
            follower.close()
