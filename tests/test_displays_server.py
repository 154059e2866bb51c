"""Screens over the port: a snapshot, then every frame; nobody delays anybody."""

import asyncio
import json
import logging
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from conftest import Served, ServeHall
from displays import server
from floor import commands, refusals
from floor.door import BODY_BYTES_MAX, Right
from timeline import VERBS

MONDAY_10 = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in the hall.
TAKE = commands.TakeTicket(item="zonghe")
RECALL = commands.RecallTicket(window="1")


def now() -> datetime:
    return MONDAY_10


async def play(served: Served, lines: str) -> None:
    """Carry out timeline lines without their times, all at once it is."""
    for line in lines.strip().splitlines():
        verb, *words = line.split()
        await served.floor.do(VERBS[verb](words))


async def hear(screen: ClientConnection) -> dict[str, Any]:
    """The next frame that shows something."""
    while True:
        frame: dict[str, Any] = json.loads(await asyncio.wait_for(screen.recv(), 10))
        if frame["frame"] != "beat":
            return frame


async def hear_until(screen: ClientConnection, position: int) -> list[dict[str, Any]]:
    """All frames up to the one of this position."""
    frames = [await hear(screen)]
    while frames[-1]["position"] < position:
        frames.append(await hear(screen))
    return frames


async def test_a_screen_hears_a_snapshot_and_then_each_call(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\ntakes zonghe\ntakes zonghe\ncalls 1\nstarts 1")
        async with connect(f"{served.ws_url}/ws/screen/hall") as screen:
            snapshot = await hear(screen)
            assert snapshot["frame"] == "snapshot"
            assert snapshot["position"] == served.floor.feed.position
            assert [call["ticket"] for call in snapshot["calls"]] == ["A001"]
            await play(served, "finishes 1\ncalls 1")
            ended, call = await hear(screen), await hear(screen)
        assert (ended["frame"], ended["call"]["over"]) == ("change", True)
        assert (call["frame"], call["call"]["ticket"]) == ("call", "A002")
        assert call["position"] == served.floor.feed.position


async def test_whoever_joins_in_a_rush_misses_nothing_and_hears_nothing_twice(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        last = served.floor.feed.position + 300

        async def join(after_s: float) -> None:
            await asyncio.sleep(after_s)
            async with connect(f"{served.ws_url}/ws/screen/late") as screen:
                first, *rest = await hear_until(screen, last)
            assert first["frame"] == "snapshot"
            positions = [frame["position"] for frame in rest]
            assert positions == list(range(first["position"] + 1, last + 1))
            waiting = (rest or [first])[-1]["lines"][0]["waiting"]
            assert waiting == 300

        async def rush() -> None:
            for _ in range(60):
                await asyncio.gather(*(served.floor.do(TAKE) for _ in range(5)))

        joining = [join(n * 0.01) for n in range(8)]
        await asyncio.gather(rush(), *joining)


async def test_a_quiet_hall_beats_so_that_nobody_takes_it_for_lost(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\ntakes zonghe\ncalls 1\nstarts 1\nfinishes 1")
        async with connect(f"{served.ws_url}/ws/screen/hall") as screen:
            await hear(screen)
            await play(served, "rates A001 satisfied")  # Is not shown.
            beat = json.loads(await asyncio.wait_for(screen.recv(), 4.5))
        assert beat == {"frame": "beat", "position": served.floor.feed.position}


async def test_a_stalled_screen_is_cut_off_and_comes_back_to_a_snapshot(
    serve_hall: ServeHall, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "displays.server")
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\ntakes zonghe\ncalls 1")
        address = urlsplit(served.url)
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        small.connect((address.hostname, address.port))
        uri = f"{served.ws_url}/ws/screen/stalled"
        async with (
            connect(f"{served.ws_url}/ws/screen/good") as good,
            connect(uri, sock=small, max_queue=1, ping_interval=None) as stalled,
        ):
            seen = [(await hear(good))["position"]]
            for _ in range(60):
                # Nobody reads `stalled` meanwhile.
                await asyncio.gather(*(served.floor.do(RECALL) for _ in range(250)))
                heard = await hear_until(good, served.floor.feed.position)
                seen += [frame["position"] for frame in heard]
                if caplog.records:
                    break
            assert [record.args for record in caplog.records] == [("stalled",)]
            assert seen == list(range(seen[0], served.floor.feed.position + 1))

            with pytest.raises(ConnectionClosed) as closed:
                await hear_until(stalled, served.floor.feed.position)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == server.WS_STALLED
        async with connect(uri) as back:
            assert (await hear(back))["position"] == served.floor.feed.position


async def test_a_new_business_day_empties_every_screen(serve_hall: ServeHall) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\ntakes zonghe\ncalls 1")
        async with connect(f"{served.ws_url}/ws/screen/hall") as screen:
            assert len((await hear(screen))["calls"]) == 1
            served.floor.feed.turn_day(MONDAY_10 + timedelta(days=1))
            morning = await hear(screen)
        assert (morning["frame"], morning["date"]) == ("snapshot", "2026-11-24")
        assert morning["calls"] == []
        assert morning["position"] == served.floor.feed.position
        async with connect(f"{served.ws_url}/ws/screen/new") as newcomer:
            assert await hear(newcomer) == morning


@pytest.mark.parametrize("name", ["%E5%A4%A7%E5%8E%85", "a" * 41, "a.b", "a%0A", "%00"])
async def test_a_bad_screen_name_is_told_so(serve_hall: ServeHall, name: str) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        async with connect(f"{served.ws_url}/ws/screen/{name}") as screen:
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(screen.recv(), 10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == server.WS_BAD_NAME
        assert "1 to 40" in closed.value.rcvd.reason


async def test_a_page_of_another_site_hears_nothing(serve_hall: ServeHall) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        elsewhere = Origin("http://elsewhere.example")
        with pytest.raises(InvalidStatus):
            await connect(f"{served.ws_url}/ws/screen/hall", origin=elsewhere)


async def test_who_may_not_visit_hears_nothing(serve_hall: ServeHall) -> None:
    class Shut:
        def admit(self, connection: HTTPConnection, right: Right) -> None:
            raise refusals.NotAllowed(why_zh="没有配对", why="not paired")

    async with serve_hall(server.routes, clock=now) as served:
        served.floor.gate = Shut()
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{served.ws_url}/ws/screen/hall")
        assert refused.value.response.status_code == 403


async def test_what_a_screen_says_is_ignored_and_too_much_ends_it_alone(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        uri = f"{served.ws_url}/ws/screen/hall"
        async with connect(uri) as rude, connect(uri) as loud, connect(uri) as good:
            for screen in (rude, loud, good):
                await hear(screen)
            before = served.floor.feed.position
            for garbage in ("", "{", '{"frame":"call"}', b"\xff\x00", "号" * 5_000):
                await rude.send(garbage)
            await loud.send("x" * (BODY_BYTES_MAX + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(loud.recv(), 10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
            assert served.floor.feed.position == before
            await served.floor.do(TAKE)
            for screen in (rude, good):
                assert (await hear(screen))["position"] == before + 1
