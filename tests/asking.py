"""A client of the JSON door over a real port, and the shape of its refusals."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import httpx

from conftest import Served, ServeHall
from floor.catalogue import Catalogue
from floor.log import read
from timeline import FloorDay

NINE = FloorDay().at("09:00:00")
STREAM = "hall-1/2026-11-23"
KEY = b"k" * 32


@asynccontextmanager
async def open_door(
    serve_hall: ServeHall,
    catalogue: Catalogue | None = None,
    clock: Callable[[], datetime] = lambda: NINE,
) -> AsyncIterator[tuple[Served, "Client"]]:
    """A hall on Monday at nine, and a client of it."""
    async with (
        serve_hall(clock=clock, catalogue=catalogue) as served,
        httpx.AsyncClient(base_url=served.url, trust_env=False) as http,
    ):
        yield served, Client(served, http)


class Client:
    def __init__(self, served: Served, http: httpx.AsyncClient) -> None:
        self.served = served
        self.http = http

    async def post(self, path: str, **words: object) -> httpx.Response:
        return await self.http.post(f"/api/{path}", json=words)

    async def ok(self, path: str, **words: object) -> dict[str, Any]:
        response = await self.post(path, **words)
        assert response.status_code in (200, 201), response.text
        return cast(dict[str, Any], response.json())

    async def get(self, path: str) -> dict[str, Any]:
        response = await self.http.get(f"/api/{path}")
        assert response.status_code == 200, response.text
        return cast(dict[str, Any], response.json())

    async def serve_one(self, ticket_item: str = "zonghe", window: str = "1") -> str:
        """A visitor is called and served at a window."""
        ticket = (await self.ok("tickets", item=ticket_item))["ticket"]
        for word in ("call", "start", "finish"):
            await self.ok(f"windows/{window}/{word}")
        return str(ticket)

    async def state(self) -> object:
        """What a hostile request must not change."""
        return await self.get("hall"), list(read(self.served.path))


@asynccontextmanager
async def unchanged(client: Client) -> AsyncIterator[None]:
    before = await client.state()
    yield
    assert await client.state() == before


def refused(response: httpx.Response, status: int, code: str, field: str = "") -> None:
    """A refusal in its one shape, with nothing of ours in it."""
    assert response.status_code == status, response.text
    answer = response.json()
    assert answer["refused"] == code
    assert set(answer) == {"refused", "message"} | ({"field"} if field else set())
    assert answer.get("field", "") == field
    assert set(answer["message"]) == {"zh", "en"}
    for sentence in answer["message"].values():
        assert sentence
        assert "Traceback" not in sentence
    assert any(ord(letter) > 0x4E00 for letter in answer["message"]["zh"])
