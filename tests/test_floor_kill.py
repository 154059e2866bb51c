"""kill -9 in the middle of a busy hall: what was acknowledged is there, once.

`JIAOHAO_KILLS=100` kills it more often than the four times of every test run.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from floor import facts
from floor.day import advance
from floor.facts import Entry
from floor.log import read

ROOT = Path(__file__).parent.parent
KILLS = int(os.environ.get("JIAOHAO_KILLS", "4"))
KIOSKS = 4
PORT_TRIES_MAX = 400  # Of 25 ms each: longer than a server needs to come back.

SERVER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
import callers.server
from floor import api, door
from floor.catalogue import load
from floor.follow import opened

async def main(log, hall, port):
    def clock():
        return datetime.now(UTC)
    listening = door.listen("127.0.0.1", port)
    async with opened(Path(log), load(Path(hall)), clock()) as (hall, feed):
        floor = door.Floor(feed, hall, clock, door.DevGate(), b"k" * 32)
        routes = [*api.routes(floor), *callers.server.routes(floor)]
        async with door.running(door.application(floor, routes), listening) as url:
            print(url, flush=True)
            await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


class Server:
    """A real process that is started, killed, and started again on the same log."""

    def __init__(self, folder: Path, port: int) -> None:
        self.script = folder / "serve.py"
        self.script.write_text(SERVER, encoding="utf-8")
        self.log = folder / "events.db"
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process: Process | None = None

    async def start(self) -> None:
        hall = ROOT / "floor" / "hall.toml"
        words = [self.script, self.log, hall, self.port]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *map(str, words),
            stdout=PIPE,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 20)
        assert line.decode().strip() == self.url

    async def kill(self) -> None:
        assert self.process is not None
        assert self.process.returncode is None, "It died by itself."
        self.process.send_signal(signal.SIGKILL)
        await self.process.communicate()
        assert self.process.returncode == -signal.SIGKILL


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(folder, port)
    await server.start()
    try:
        yield server
    finally:
        process = server.process
        if process is not None and process.returncode is None:
            process.kill()
            await process.communicate()


class Story:
    """What the clients were told, to be compared with the log."""

    def __init__(self) -> None:
        self.over = False
        self.sent: set[str] = set()
        self.done: dict[str, dict[str, Any]] = {}
        self.refused: dict[str, str] = {}
        self.lost = 0  # Presses whose answer never came, so that they were repeated.
        self.repeated = 0

    def answered(self, id: str, answer: dict[str, Any]) -> None:
        if "refused" in answer:
            self.refused[id] = answer["refused"]
        else:
            self.done[id] = answer
            self.repeated += bool(answer.get("repeated"))


KEYS = ("call", "start", "finish", "invite", "call", "no-show", "recall", "start")


async def kiosk(server: Server, story: Story, chance: random.Random) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        while not story.over:
            item = chance.choice(["zonghe", "shebao", "churujing"])
            await over_http(http, story, "/api/tickets", {"item": item})
            await asyncio.sleep(0.002)


async def clerk_by_http(server: Server, story: Story, window: str) -> None:
    path = f"/api/windows/{window}/"
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        await over_http(http, story, path + "open", {"clerk": f"c{window}"})
        for key in cycle(KEYS):
            if story.over:
                return
            await over_http(http, story, path + key, {})
            await asyncio.sleep(0.002)


async def over_http(
    http: httpx.AsyncClient, story: Story, path: str, words: dict[str, str]
) -> None:
    """Press once, and again with the same id until there is an answer.

    Every fifth is impatient and hangs up at first, so that answers are lost as well.
    """
    id = str(uuid4())
    story.sent.add(id)
    wait_s = 0.004 if len(story.sent) % 5 == 0 else 5.0
    for _ in range(PORT_TRIES_MAX):
        try:
            body = {**words, "command_id": id}
            response = await http.post(path, json=body, timeout=wait_s)
        except httpx.TransportError:
            story.lost += 1
            wait_s = 5.0
            await asyncio.sleep(0.025)
            continue
        assert response.status_code in (200, 201, 409, 503), response.text
        if response.status_code != 503:
            story.answered(id, response.json())
            return
    raise AssertionError("The hall did not come back.")


async def clerk_by_websocket(server: Server, story: Story, window: str) -> None:
    """A clerk at a terminal that comes back and repeats what was not answered."""
    opening = {"command": "open", "clerk": f"c{window}"}
    keys: Iterator[dict[str, str]] = ({"command": key} for key in cycle(KEYS))
    press: dict[str, str] | None = {**opening, "id": str(uuid4())}
    async for line in reconnecting(server, f"/ws/window/{window}", lambda: ""):
        with suppress(WebSocketException):
            while press is not None:
                story.sent.add(press["id"])
                story.lost += 1
                await line.send(json.dumps(press))
                answer = await answer_to(line, press["id"])
                story.lost -= 1
                if answer.get("refused") != "LogUnavailable":
                    story.answered(press["id"], answer)
                    press = next(keys) | {"id": str(uuid4())}
                    if story.over:
                        press = None
            return


async def answer_to(socket: Any, id: str) -> dict[str, Any]:
    async for text in socket:
        message: dict[str, Any] = json.loads(text)
        if message.get("id") == id:
            return message
    raise WebSocketException


async def follower(
    server: Server, seen: list[dict[str, Any]], final: list[int]
) -> None:
    """Follow every fact, from the position after the last one seen."""

    def since() -> str:
        return f"?since={seen[-1]['position'] if seen else 0}"

    async for line in reconnecting(server, "/ws/facts", since):
        with suppress(WebSocketException):
            async for text in line:
                seen.append(json.loads(text))
                if final and seen[-1]["position"] >= final[0]:
                    return


async def reconnecting(
    server: Server, path: str, query: Callable[[], str]
) -> AsyncIterator[Any]:
    """A websocket, and another one when it is gone."""
    tries = 0
    while tries < PORT_TRIES_MAX:
        url = server.url.replace("http", "ws", 1) + path + query()
        try:
            socket_ = await connect(url, proxy=None, max_queue=None)
        except (OSError, InvalidHandshake, TimeoutError, EOFError):
            tries += 1
            await asyncio.sleep(0.025)
            continue
        tries = 0
        async with socket_:
            yield socket_
    raise AssertionError("The hall did not come back.")


@pytest.mark.timeout(100 + 5 * KILLS)
async def test_a_killed_hall_loses_nothing_and_does_nothing_twice(
    tmp_path: Path,
) -> None:
    chance = random.Random(9)
    story = Story()
    followed: list[list[dict[str, Any]]] = [[] for _ in range(3)]
    final: list[int] = []
    async with serving(tmp_path) as server:
        following = [
            asyncio.create_task(follower(server, seen, final)) for seen in followed
        ]
        working = [
            *(kiosk(server, story, random.Random(n)) for n in range(KIOSKS)),
            *(clerk_by_http(server, story, window) for window in ("1", "6", "11")),
            *(clerk_by_websocket(server, story, window) for window in ("2", "7", "12")),
        ]
        tasks = [asyncio.create_task(work) for work in working]
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.6, 1.2))
            await server.kill()
            await server.start()
        await asyncio.sleep(0.5)
        story.over = True
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
        entries = list(read(server.log))
        # One fact more, so that followers who wait for the next one notice the end.
        final.append(entries[-1].position + 1)
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            await over_http(http, story, "/api/tickets", {"item": "zonghe"})
        await asyncio.wait_for(asyncio.gather(*following), 20)
        await server.kill()
    entries = list(read(tmp_path / "events.db"))
    assert len(story.done) > 100
    assert story.lost >= KILLS, "Nobody was disturbed by the kills."
    assert story.repeated, "No answer was lost after its fact was durable."
    check_log(entries, story)
    for seen in followed:
        told = [(f["position"], f["stream"], f["version"], f["fact"]) for f in seen]
        kept = [(e.position, e.stream, e.version, e.topic) for e in entries]
        assert told == kept


def check_log(entries: list[Entry], story: Story) -> None:
    assert [e.position for e in entries] == list(range(1, len(entries) + 1))
    ids = [e.fact.command for e in entries if e.fact.command]
    assert len(ids) == len(set(ids)), "A command had two effects."
    by_id = {e.fact.command: e for e in entries if e.fact.command}
    assert set(story.done) | set(story.refused) == story.sent
    assert set(by_id) == set(story.done), "Acknowledged and stored are the same."
    for id, answer in story.done.items():
        entry = by_id[id]
        assert answer["position"] == entry.position
        assert answer.get("ticket") == getattr(entry.fact, "ticket", None)
    numbers: dict[tuple[str, str], list[int]] = {}
    calls: set[tuple[str, str]] = set()
    day = None
    for entry in entries:
        day = advance(day, entry)
        match entry.fact:
            case facts.TicketTaken():
                key = (entry.stream, entry.fact.ticket[0])
                numbers.setdefault(key, []).append(int(entry.fact.ticket[1:]))
            case facts.TicketCalled():
                assert (entry.stream, entry.fact.ticket) not in calls
                calls.add((entry.stream, entry.fact.ticket))
    assert len(calls) > 5
    for issued in numbers.values():
        assert issued == list(range(1, len(issued) + 1))
