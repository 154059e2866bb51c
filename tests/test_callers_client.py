"""The window's end of the wire, without a screen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from websockets.asyncio.server import ServerConnection, serve

import callers.client
import callers.server
from callers import messages
from callers.client import (
    BadAddress,
    Busy,
    Link,
    Offline,
    Refusal,
    Unanswered,
    WindowClient,
    address,
)
from callers.messages import Board
from conftest import ServeHall
from floor import facts, refusals
from floor.door import Right
from test_callers_server import NoClerks, post, take

SECONDS_MAX = 10.0


async def until(so: Callable[[], object]) -> None:
    """Wait until it is so; not for ever."""
    async with asyncio.timeout(SECONDS_MAX):
        while not so():
            await asyncio.sleep(0.01)


async def test_a_day_at_a_window(serve_hall: ServeHall) -> None:
    boards: list[Board] = []
    links: list[Link] = []
    async with serve_hall(callers.server.routes) as served:
        await take(served, "zonghe")
        async with WindowClient(
            served.url, "3", on_board=boards.append, on_link=links.append
        ) as client:
            assert client.link == "online"
            for command, words in (
                ("open", {"clerk": "c3"}),
                ("call", {}),
                ("recall", {"ticket": "A001"}),
                ("start", {}),
                ("finish", {"outcome": "not_done"}),
                ("invite", {}),
                ("close", {}),
            ):
                done = await client.say(command, **words)
                # The board is never behind the answer.
                assert client.board is not None
                assert client.board.position == done.position
        topics = [entry.topic for entry in served.floor.feed.after(2)]
    assert topics == [
        "WindowOpened",
        "TicketCalled",
        "TicketRecalled",
        "ServiceStarted",
        "ServiceFinished",
        "EvaluationInvited",
        "WindowClosed",
    ]
    assert links == ["online"]
    assert [board.position for board in boards] == list(range(2, 10))


async def test_a_refusal_is_the_halls_own_sentence(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        WindowClient(served.url, "3") as client,
    ):
        with pytest.raises(Refusal) as refused:
            await client.say("call")
        assert refused.value.code == "WindowNotOpen"
        assert refused.value.message["zh"] == "3号窗口还没有开窗"
        with pytest.raises(Refusal) as refused:
            await client.say("open", clerk="a b")
        assert refused.value.field == "clerk"


async def test_one_press_at_a_time(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        WindowClient(served.url, "3") as client,
    ):
        first = asyncio.create_task(client.say("open", clerk="c3"))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await client.say("pause")
        assert (await first).fact == "WindowOpened"
        assert served.floor.feed.day.places["3"].state == "free"


async def test_offline_nothing_is_kept_and_nothing_comes_later(
    serve_hall: ServeHall,
) -> None:
    links: list[Link] = []
    async with serve_hall(callers.server.routes) as served:
        port = int(served.url.rpartition(":")[2])
        await take(served, "zonghe", 3)
        async with WindowClient(served.url, "3", on_link=links.append) as client:
            await client.say("open", clerk="c3")
            position = served.floor.feed.position
            await _stop_of(served)
    # The hall is gone now, and the client outlives it in the block below.
    client = WindowClient(served.url, "3", on_link=links.append)
    running = asyncio.create_task(client.run())
    try:
        await until(lambda: client.link == "offline")
        for _ in range(3):
            with pytest.raises(Offline):
                await client.say("call")
        async with serve_hall(callers.server.routes, port=port) as again:
            await until(lambda: client.link == "online")
            assert client.board is not None
            assert client.board.state == "free"
            await asyncio.sleep(0.3)
            assert again.floor.feed.position == position
            assert (await client.say("call")).ticket == "A001"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _stop_of(served: object) -> None:
    await asyncio.sleep(0)
