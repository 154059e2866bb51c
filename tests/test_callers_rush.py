"""Acceptance: eight clients at each door press call at once, two hundred tickets.

Every ticket is called exactly once, no number is missing, and no window was ever told
that it has what another one got.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import httpx

import callers.server
from callers.client import Refusal, WindowClient
from conftest import Served, ServeHall
from floor import facts
from floor.catalogue import Catalogue, Item, Window, check

TICKETS = 200
CLIENTS_A_DOOR = 8


def rush_hall() -> Catalogue:
    """Sixteen windows that all handle the same item."""
    item = Item(id="zonghe", name="综合受理", name_en="General", prefix="A")
    windows = tuple(
        Window(id=str(n), name="综", name_en="G", department="局", items=("zonghe",))
        for n in range(1, 2 * CLIENTS_A_DOOR + 1)
    )
    hall = Catalogue(
        hall="rush", name="大厅", name_en="Hall", items=(item,), windows=windows
    )
    check(hall)
    return hall


async def test_every_ticket_is_called_once_whatever_the_door(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(callers.server.routes, catalogue=rush_hall()) as served:
        async with httpx.AsyncClient(base_url=served.url) as http:
            for _ in range(TICKETS):
                await http.post("/api/tickets", json={"item": "zonghe"})
        called = await _rush(served)
        entries = list(served.floor.feed.after(0))
        live = served.floor.feed.day.digest()
    # What each window was told, and what the log says.
    numbers = [f"A{number:03d}" for number in range(1, TICKETS + 1)]
    assert (
        sorted(ticket for tickets in called.values() for ticket in tickets) == numbers
    )
    calls = [e.fact for e in entries if isinstance(e.fact, facts.TicketCalled)]
    assert [call.ticket for call in calls] == numbers  # Nobody was overtaken either.
    for window, tickets in called.items():
        assert tickets == [call.ticket for call in calls if call.window == window]
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    topics = Counter(entry.topic for entry in entries)
    for topic in ("TicketTaken", "TicketCalled", "ServiceStarted", "ServiceFinished"):
        assert topics[topic] == TICKETS
    # Both doors had their part, or this was no race.
    shares = [len(tickets) for tickets in called.values()]
    assert min(shares) > 0
    assert live == await _digest_after_restart(serve_hall, served)


async def _rush(served: Served) -> dict[str, list[str]]:
    """Everybody calls until nobody waits; the tickets that each window got."""
    windows = [str(n) for n in range(1, 2 * CLIENTS_A_DOOR + 1)]
    called: dict[str, list[str]] = {window: [] for window in windows}
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as rush:
        start = asyncio.Barrier(len(windows))
        for number, window in enumerate(windows):
            if number % 2:
                http = httpx.AsyncClient(base_url=f"{served.url}/api/windows/{window}")
                await stack.enter_async_context(http)
                rush.create_task(_over_http(http, start, called[window]))
            else:
                client = WindowClient(served.url, window)
                await stack.enter_async_context(client)
                rush.create_task(_over_websocket(client, start, called[window]))
    return called


async def _over_http(
    http: httpx.AsyncClient, start: asyncio.Barrier, called: list[str]
) -> None:
    opened = await http.post("/open", json={"clerk": f"http-{id(http)}"})
    assert opened.status_code == 200
    await start.wait()
    while True:
        answer = (await http.post("/call")).json()
        if answer.get("refused") == "NobodyWaiting":
            return
        called.append(answer["ticket"])
        for word in ("start", "finish"):
            assert (await http.post(f"/{word}")).status_code == 200


async def _over_websocket(
    client: WindowClient, start: asyncio.Barrier, called: list[str]
) -> None:
    await client.say("open", clerk=f"ws-{client.window}")
    await start.wait()
    while True:
        try:
            done = await client.say("call")
        except Refusal as refusal:
            if refusal.code == "NobodyWaiting":
                return
            raise
        assert done.ticket is not None
        assert client.board is not None
        assert client.board.in_hand is not None
        assert client.board.in_hand.ticket == done.ticket
        called.append(done.ticket)
        await client.say("start")
        await client.say("finish", ticket=done.ticket)


async def _digest_after_restart(serve_hall: ServeHall, served: Served) -> str:
    async with serve_hall(path=served.path, catalogue=rush_hall()) as again:
        return again.floor.feed.day.digest()
