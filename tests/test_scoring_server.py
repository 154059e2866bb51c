"""The manager's page behind the one port."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from conftest import Served, ServeHall
from floor import log, refusals
from floor.door import Floor, Right
from floor.facts import Entry
from scoring import rulebook, server
from scoring.assessment import assess
from scoring.report import to_json

MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 09:00 in the hall.


class Clock:
    """The hall's time, moved by the test."""

    def __init__(self) -> None:
        self.at = MORNING

    def __call__(self) -> datetime:
        return self.at


class Office:
    """A served hall with the scoring room, and how often its log was read."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.reads = 0
        self.threads: set[int] = set()
        self.served: Served | None = None

    def routes(self, floor: Floor) -> Sequence[BaseRoute]:
        return server.routes(floor, self.read)

    def read(self) -> Iterable[Entry]:
        self.reads += 1
        self.threads.add(threading.get_ident())
        assert self.served is not None
        return log.read(self.served.path)

    async def get(self, path: str, **query: str) -> httpx.Response:
        assert self.served is not None
        async with httpx.AsyncClient(base_url=self.served.url) as client:
            return await client.get(path, params=query or None)

    async def post(self, path: str, **words: Any) -> None:
        assert self.served is not None
        async with httpx.AsyncClient(base_url=self.served.url) as client:
            answer = await client.post(path, json=words)
            assert answer.is_success, answer.text


@asynccontextmanager
async def office(serve_hall: ServeHall) -> AsyncIterator[Office]:
    """A hall in which window 1 opened five minutes late and a visitor waits."""
    room = Office()
    async with serve_hall(room.routes, clock=room.clock) as served:
        room.served = served
        room.clock.at += timedelta(minutes=5)
        await room.post("/api/windows/1/open", clerk="li")
        await room.post("/api/tickets", item="zonghe")
        room.clock.at += timedelta(minutes=10)
        await room.post("/api/tickets", item="budongchan")
        yield room


async def test_json_is_what_the_log_amounts_to(serve_hall: ServeHall) -> None:
    async with office(serve_hall) as room:
        assert room.served is not None
        answer = await room.get("/api/score")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        expected = assess(log.read(room.served.path), rulebook.load())
        assert answer.text == to_json(expected)
        first = answer.json()["windows"][0]["items"][0]
        assert (first["code"], first["points"], first["evidence"]) == ("A1", 37, [2])


async def test_the_score_at_an_instant(serve_hall: ServeHall) -> None:
    async with office(serve_hall) as room:
        for as_of in ("2026-11-23T09:06", "2026-11-23T01:06Z", "2026-11-23 09:06:00"):
            told = (await room.get("/api/score", as_of=as_of)).json()
            assert told["as_of"] == "2026-11-23T01:06:00+00:00"
            assert told["position"] == 3
        told = (await room.get("/api/score", as_of="2026-11-23")).json()
        assert told["as_of"] == "2026-11-23T15:59:59.999000+00:00"
        assert told["position"] == 4


async def test_a_plus_sign_that_was_not_escaped(serve_hall: ServeHall) -> None:
    async with office(serve_hall) as room:
        answer = await room.get("/api/score?as_of=2026-11-23T09:06:00+08:00")
        assert answer.json()["position"] == 3


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"as_of": "昨天"}, 422, "as_of"),
        ({"as_of": "2026-11-22"}, 422, "as_of"),  # Before the first fact.
        ({"as_of": "9" * 3000}, 422, "as_of"),
        ({"as_of": "<script>"}, 422, "as_of"),
        ({"window": "99"}, 404, "window"),
        ({"window": "<script>"}, 404, "window"),
    ],
)
@pytest.mark.parametrize("path", ["/score", "/api/score"])
async def test_bad_questions_get_a_sentence(
    serve_hall: ServeHall, path: str, query: dict[str, str], status: int, field: str
) -> None:
    async with office(serve_hall) as room:
        answer = await room.get(path, **query)
        assert (answer.status_code, answer.json()["field"]) == (status, field)
        assert set(answer.json()["message"]) == {"zh", "en"}
        assert answer.headers["content-type"] == "application/json"


async def test_a_language_that_we_do_not_speak(serve_hall: ServeHall) -> None:
    async with office(serve_hall) as room:
        answer = await room.get("/score", lang="fr")
        assert (answer.status_code, answer.json()["field"]) == (422, "lang")


async def test_the_page_and_its_style(serve_hall: ServeHall) -> None:
    async with office(serve_hall) as room:
        page = await room.get("/score")
        assert page.status_code == 200
        assert '<html lang="zh-CN">' in page.text
        assert "<style" not in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        style = await room.get("/score.css")
        assert style.headers["content-type"].startswith("text/css")
        assert ".overview" in style.text


async def test_one_window_and_english(serve_hall: ServeHall) -> None:
    async with office(serve_hall) as room:
        page = (await room.get("/score", window="1", lang="en")).text
        assert '<html lang="en">' in page
        assert 'id="w1"' in page
        assert "#w2" not in page
        told = (await room.get("/api/score", window="1")).json()
        assert [window["window"] for window in told["windows"]] == ["1"]


async def test_an_assessment_is_computed_once_off_the_loop(
    serve_hall: ServeHall,
) -> None:
    async with office(serve_hall) as room:
        answers = await asyncio.gather(*(room.get("/api/score") for _ in range(5)))
        assert len({answer.text for answer in answers}) == 1
        await room.get("/score", window="1", lang="en")
        assert room.reads == 1
        assert threading.get_ident() not in room.threads
        await room.post("/api/tickets", item="zonghe")
        assert json.loads((await room.get("/api/score")).text)["position"] == 5
        assert room.reads == 2


async def test_only_a_few_results_are_kept(serve_hall: ServeHall) -> None:
    async with office(serve_hall) as room:
        instants = [f"2026-11-23T09:{minute}" for minute in range(20, 29)]
        for as_of in instants:
            await room.get("/api/score", as_of=as_of)
        assert room.reads == len(instants) == server.KEPT_MAX + 1
        await room.get("/api/score", as_of=instants[-1])
        assert room.reads == len(instants)
        await room.get("/api/score", as_of=instants[0])
        assert room.reads == len(instants) + 1


@pytest.mark.parametrize("path", ["/score", "/api/score", "/score.css"])
async def test_without_the_right_to_read_nothing_is_shown(
    serve_hall: ServeHall, path: str
) -> None:
    class OnlyVisitors:
        def admit(self, connection: HTTPConnection, right: Right) -> None:
            if right is not Right.VISIT:
                raise refusals.NotAllowed(why_zh="只限访客", why="visitors only")

    async with office(serve_hall) as room:
        assert room.served is not None
        room.served.floor.gate = OnlyVisitors()
        answer = await room.get(path)
        assert answer.json()["refused"] == "NotAllowed"
        assert room.reads == 0
