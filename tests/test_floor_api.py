"""The JSON door over a real port: right answers, and hostile ones turned away."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import uuid4

import httpx
import msgspec
import pytest
from starlette.requests import HTTPConnection
from starlette.routing import Route
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asking import KEY, NINE, STREAM, Client, open_door, refused, unchanged
from conftest import Served, ServeHall
from floor import api, commands, door, follow, refusals
from floor.catalogue import load
from floor.commands import OpenWindow, PauseWindow, ResumeWindow, TakeTicket
from floor.door import Right
from floor.endpoints import following
from floor.log import read
from floor.practice import Booking, Ground
from floor.tokens import load_key, token_of
from timeline import SAMPLE, FloorDay

ELDERLY = Ground(id="laoren", name="老人", name_en="the elderly", kind="care")
#: The sample hall, where places can be booked a month before they are used.
BOOKABLE = msgspec.structs.replace(
    load(SAMPLE),
    booking=Booking(quota=2, cancel_before_s=60, early_s=3600),
    grounds=(ELDERLY,),
)
#: The windows of the sample hall that handle its first item.
ABLE = [w.id for w in load(SAMPLE).windows if "zonghe" in w.items]


# ── Right answers, in their exact shapes ────────────────────────────────────


async def test_a_ticket_is_taken(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        response = await client.post("tickets", item="zonghe")
        assert response.status_code == 201
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {
            "ticket": "A001",
            "item": "zonghe",
            "ahead": 0,
            "windows": ABLE,
            "token": token_of(KEY, STREAM, "A001"),
            "position": 2,
        }
        second = await client.ok("tickets", item="zonghe", kind="care", channel="staff")
        assert (second["ticket"], second["ahead"]) == ("A002", 1)
        await client.ok("windows/3/open", clerk="c3")
        third = await client.ok("tickets", item="zonghe", command_id=str(uuid4()))
        assert (third["ticket"], third["ahead"]) == ("A003", 2)
        assert third["windows"] == ["3"]


async def test_a_ticket_is_asked_for(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        await client.ok("tickets", item="zonghe")
        await client.ok("tickets", item="zonghe")
        expected = {
            "ticket": "A002",
            "item": "zonghe",
            "state": "waiting",
            "ahead": 1,
            "windows": ABLE,
            "window": None,
            "level": None,
        }
        assert await client.get("tickets/A002") == expected
        await client.ok("windows/2/open", clerk="c2")
        await client.ok("windows/2/call-ticket", ticket="A002", reason="老人")
        called = expected | {
            "state": "called",
            "ahead": 0,
            "windows": ["2"],
            "window": "2",
        }
        assert await client.get("tickets/A002") == called


async def test_each_command_of_a_window(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        for item in ("zonghe", "zonghe", "zonghe"):
            await client.ok("tickets", item=item)
        said: list[tuple[str, dict[str, object], str | None, str]] = [
            ("open", {"clerk": "c1"}, None, "WindowOpened"),
            ("pause", {"reason": "取材料"}, None, "WindowPaused"),
            ("resume", {}, None, "WindowResumed"),
            ("call", {}, "A001", "TicketCalled"),
            ("recall", {"ticket": "A001"}, "A001", "TicketRecalled"),
            ("no-show", {}, "A001", "NoShowDeclared"),
            ("call-ticket", {"ticket": "A003", "reason": "急"}, "A003", "TicketCalled"),
            ("start", {"ticket": "A003"}, "A003", "ServiceStarted"),
            ("finish", {"outcome": "not_done"}, "A003", "ServiceFinished"),
            ("invite", {}, "A003", "EvaluationInvited"),
            ("call", {}, "A002", "TicketCalled"),
            ("undo", {"ticket": "A002"}, "A002", "CallUndone"),
            ("call", {}, "A002", "TicketCalled"),
            ("start", {}, "A002", "ServiceStarted"),
            ("hold", {"reason": "复印"}, "A002", "TicketHeld"),
            ("return", {}, "A002", "TicketReturned"),
            ("transfer", {"item": "shebao"}, "A002", "TicketTransferred"),
            ("move", {"to": "2"}, None, "ClerkMoved"),
            ("open", {"clerk": "c9", "substitutes": "c8"}, None, "WindowOpened"),
            ("close", {"give_back": True}, None, "WindowClosed"),
        ]
        assert {word for word, *_ in said} == set(commands.WINDOW_COMMANDS)
        for position, (word, body, ticket, fact) in enumerate(said, 5):
            response = await client.post(f"windows/1/{word}", **body)
            assert response.status_code == 200
            assert response.json() == {
                "ticket": ticket,
                "window": "1",
                "position": position,
                "fact": fact,
                "at": NINE.isoformat(),
                "repeated": False,
            }


async def test_a_visitor_rates_or_gives_up(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        await client.ok("windows/1/open", clerk="c1")
        served = await client.serve_one()
        token = token_of(KEY, STREAM, served)
        given = await client.ok(
            f"tickets/{served}/evaluation",
            level="非常满意",
            token=token,
            channel="phone",
        )
        assert (given["fact"], given["ticket"]) == ("EvaluationGiven", served)
        assert (await client.get(f"tickets/{served}"))["level"] == "very_satisfied"
        taken = await client.ok("tickets", item="zonghe")
        left = await client.ok(
            f"tickets/{taken['ticket']}/abandonment", token=taken["token"]
        )
        assert (left["fact"], left["window"]) == ("TicketAbandoned", None)


async def test_the_hall_as_it_is_now(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        await client.ok("windows/1/open", clerk="c1")
        await client.ok("tickets", item="zonghe")
        await client.ok("tickets", item="zonghe")
        await client.ok("windows/1/call")
        hall = await client.get("hall")
        assert set(hall) == {
            "hall", "name", "name_en", "date", "closed", "position", "items", "windows",
            "alarms",
        }  # fmt: skip
        assert (hall["hall"], hall["date"], hall["closed"]) == (
            "hall-1",
            "2026-11-23",
            False,
        )
        assert hall["position"] == 5
        assert hall["items"][0] == {
            "id": "zonghe",
            "name": "综合受理",
            "name_en": "General acceptance",
            "waiting": 1,
            "windows": ["1"],
        }
        assert hall["windows"][0] == {
            "id": "1",
            "name": "综合窗口",
            "name_en": "General",
            "state": "called",
            "ticket": "A001",
            "clerk": "c1",
            "items": ["zonghe", "minsheng"],
        }
        closing = await client.ok("hall/close")
        assert (closing["fact"], closing["ticket"]) == ("HallClosed", None)
        hall = await client.get("hall")
        assert hall["closed"]
        assert {window["state"] for window in hall["windows"]} == {"closed"}


# ── Refusals ────────────────────────────────────────────────────────────────


async def test_the_rules_say_no(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client), unchanged(client):
        response = await client.post("windows/1/call")
        refused(response, 409, "WindowNotOpen")
        assert response.json()["message"] == {
            "zh": "1号窗口还没有开窗",
            "en": "Window 1 is not open",
        }
        refused(await client.post("tickets", item="nix"), 422, "UnknownItem", "item")
        for word in commands.WINDOW_COMMANDS:
            body = {"clerk": "c", "ticket": "A001", "to": "2"}
            response = await client.post(f"windows/99/{word}", **body)
            refused(response, 404, "UnknownWindow", "window")
        response = await client.post("windows/1/dance")
        refused(response, 404, "UnknownCommand", "command")
        refused(
            await client.http.get("/api/tickets/A009"), 404, "UnknownTicket", "ticket"
        )
        for word, body in (
            ("abandonment", {}),
            ("evaluation", {"level": "satisfied"}),
            ("defer", {"token": token_of(KEY, STREAM, "A009")}),
            ("requeue", {}),
        ):
            response = await client.post(f"tickets/A009/{word}", **body)
            refused(response, 404, "UnknownTicket", "ticket")


async def test_a_token_belongs_to_one_ticket_of_one_day(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        id = str(uuid4())
        one = await client.ok("tickets", item="zonghe", command_id=id)
        again = await client.ok("tickets", item="zonghe", command_id=id)
        other = await client.ok("tickets", item="zonghe")
        assert again["token"] == one["token"] != other["token"]
        assert re.fullmatch(r"[0-9a-f]{24}", one["token"])
        yesterday = token_of(KEY, "hall-1/2026-11-22", "A001")
        foreign = token_of(b"x" * 32, STREAM, "A001")
        async with unchanged(client):
            wrongs: tuple[object, ...] = (
                other["token"], yesterday, foreign, "", "0" * 24, "令牌", 7, [], {},
                one["token"].upper(), one["token"] + "0", one["token"][:-1], True,
            )  # fmt: skip
            for wrong in wrongs:
                response = await client.post("tickets/A001/abandonment", token=wrong)
                refused(response, 403, "NotAllowed")
        await client.ok("tickets/A001/abandonment", token=one["token"])


def test_the_halls_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    path = tmp_path / "events.db.key"
    key = load_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o077 == 0
    assert load_key(path) == key
    assert load_key(tmp_path / "other.key") != key
    for broken in (b"", b"short"):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"events\.db\.key"):
            load_key(path)


# ── Bad input ───────────────────────────────────────────────────────────────

WRONG_OF_TEXT: list[object] = [7, 1.5, True, [], {}, ["x"], "a b", "x" * 5_000, "\0"]
WRONG_OF_CHOICE: list[object] = [7, True, [], {}, "nonsense", "NORMAL", ""]
WRONG_OF_IDENTITY: list[object] = [
    7, True, [], {}, "", "12345", "x" * 61, "张三张三张三", "110101<1990>", "\0" * 8,
    "1" * 31, "110101/19900101",
]  # fmt: skip
WRONG_OF_INSTANT: list[object] = [
    7, True, [], {}, "", "now", "2026-11-23", "2026-11-23T09:00:00", "09:00:00Z",
    "2026-13-01T00:00:00Z",
]  # fmt: skip
SLOT = "2026-11-24T09:00:00+08:00"
ID = "11010119900307123X"
BAD_FIELDS: list[tuple[str, dict[str, object], str, list[object]]] = [
    ("tickets", {}, "item", [None, "", *WRONG_OF_TEXT]),
    ("tickets", {"item": "zonghe"}, "kind", WRONG_OF_CHOICE),
    ("tickets", {"item": "zonghe"}, "channel", WRONG_OF_CHOICE),
    ("tickets", {"item": "zonghe"}, "ground", [7, True, [], {}, "a b", "x" * 41]),
    ("tickets", {"item": "zonghe"}, "then", [7, {}, "zonghe", ["zonghe"] * 9]),
    ("tickets", {"item": "zonghe"}, "identity", WRONG_OF_IDENTITY),
    ("tickets/A001/requeue", {}, "place", [-2, 1_001, 1.5, "3", True, [], {}]),
    ("bookings", {"slot_at": SLOT}, "item", [None, "", *WRONG_OF_TEXT]),
    ("bookings", {"item": "zonghe"}, "slot_at", [None, *WRONG_OF_INSTANT]),
    ("bookings", {"item": "zonghe", "slot_at": SLOT}, "channel", WRONG_OF_CHOICE),
    ("bookings", {"item": "zonghe", "slot_at": SLOT}, "identity", WRONG_OF_IDENTITY),
    ("check-in", {}, "identity", [None, *WRONG_OF_IDENTITY]),
    ("check-in", {"identity": ID}, "item", [7, [], {}, "a b", "x" * 41]),
    ("check-in", {"identity": ID}, "channel", WRONG_OF_CHOICE),
    ("hall/close", {}, "reason", WRONG_OF_CHOICE),
    ("hall/reopen", {}, "reason", [7, True, [], {}, "x" * 201]),
    ("hall/outage", {"to_at": SLOT, "reason": "断电"}, "from_at", WRONG_OF_INSTANT),
    ("hall/outage", {"from_at": SLOT, "reason": "断电"}, "to_at", WRONG_OF_INSTANT),
    ("hall/outage", {"from_at": SLOT, "to_at": SLOT}, "reason", [None, 7, "x" * 201]),
    ("hall/catalogue", {}, "catalogue", [None, 7, "x", [], [{}], True]),
    ("windows/1/open", {"clerk": "c"}, "substitutes", [7, [], "a b", "x" * 41]),
    ("windows/1/open", {}, "clerk", [None, "", *WRONG_OF_TEXT]),
    ("windows/2/pause", {}, "reason", [7, True, [], {}, "x" * 201]),
    ("windows/2/call-ticket", {}, "ticket", [None, 7, [], "a001", "A1", "A001\n"]),
    ("windows/2/call-ticket", {"ticket": "A001"}, "reason", [7, "长" * 201]),
    ("windows/2/recall", {}, "ticket", [7, [], "A 001", "A" * 900, "\uff21001"]),
    ("windows/2/finish", {}, "outcome", WRONG_OF_CHOICE),
    ("windows/2/finish", {}, "item", [7, [], {}, "a b", "x" * 41]),
    ("windows/2/close", {}, "give_back", [1, "yes", [], {}]),
    ("windows/2/move", {}, "to", [None, "", *WRONG_OF_TEXT]),
    ("windows/2/hold", {}, "reason", [7, True, [], {}, "x" * 201]),
    ("windows/2/transfer", {}, "to_window", [7, [], {}, "a b", "x" * 41]),
    ("windows/2/transfer", {}, "to_clerk", [7, [], {}, "a b", "x" * 41]),
    ("windows/2/transfer", {}, "front", [1, "yes", [], {}]),
    ("tickets/A001/evaluation", {}, "level", [None, 5, "5", "好", [], {}, True]),
    ("tickets/A001/evaluation", {"level": "满意"}, "channel", WRONG_OF_CHOICE),
]


async def test_every_field_of_the_wrong_shape_is_named(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        await client.ok("windows/2/open", clerk="c2")
        await client.ok("tickets", item="zonghe")
        async with unchanged(client):
            for path, words, field, values in BAD_FIELDS:
                for value in values:
                    response = await client.post(path, **words, **{field: value})
                    refused(response, 422, "BadInput", field)


async def test_a_window_or_ticket_in_the_path_of_the_wrong_shape(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall) as (_, client), unchanged(client):
        for window in ("%00", "a%20b", "x" * 100, "%0A1", "1%00", "%E2%80%AE1"):
            response = await client.post(f"windows/{window}/call")
            refused(response, 422, "BadInput", "window")
        for ticket in ("a001", "A001%00", "A" * 500, "%F0%9F%8E%AB"):
            response = await client.post(f"tickets/{ticket}/abandonment")
            refused(response, 422, "BadInput", "ticket")
            response = await client.http.get(f"/api/tickets/{ticket}")
            refused(response, 404, "UnknownTicket", "ticket")


BODIES = [
    b"{",
    b"not json",
    b"[",
    b"\xff\xfe{}",
    b'{"item": "\xff"}',
    b'{"item": "\xed\xa0\x80"}',
    b'{"item": "\\ud800"}',
    b'{"item": NaN}',
    b'{"item": Infinity}',
    b'{"item": 1e999}',
    b'{"item": "zonghe",}',
    b"{'item': 'zonghe'}",
    b'{"item": "zonghe"} {"item": "zonghe"}',
    b"[" * 8_000,
    b'{"a":' * 3_000,
    b"<item>zonghe</item>",
    b"item=zonghe",
    b"\x00",
    b"1",
    b"null",
    b'"zonghe"',
    b"[]",
    b'[{"item": "zonghe"}]',
]


@pytest.mark.parametrize("path", ["tickets", "windows/1/open", "hall/close"])
async def test_a_body_that_is_not_a_json_object(
    serve_hall: ServeHall, path: str
) -> None:
    async with open_door(serve_hall) as (_, client), unchanged(client):
        for body in BODIES:
            response = await client.http.post(f"/api/{path}", content=body)
            refused(response, 422, "BadInput", "body")


async def test_a_body_beyond_the_bound_is_not_read(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client), unchanged(client):

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 10_000

        for content in (b" " * (door.BODY_BYTES_MAX + 1), b"x" * 1_000_000, endless()):
            response = await client.http.post("/api/tickets", content=content)
            refused(response, 413, "TooLarge")
        largest = b'{"item":"nix"}'.ljust(door.BODY_BYTES_MAX)
        response = await client.http.post("/api/tickets", content=largest)
        refused(response, 422, "UnknownItem", "item")


async def test_a_word_that_is_null_is_a_word_left_out(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        nulls = {"kind": None, "channel": None, "command_id": None}
        await client.ok("tickets", item="zonghe", **nulls)
        await client.ok("windows/1/open", clerk="c1")
        await client.ok("windows/1/call", ticket=None)
        await client.ok("windows/1/recall", ticket=None, command_id=None)
        await client.ok("windows/1/no-show", token=None)


async def test_extra_words_are_ignored_and_cannot_bend_a_command(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall) as (_, client):
        await client.ok("windows/1/open", clerk="c1", window="2", command="close-hall")
        hall = await client.get("hall")
        assert not hall["closed"]
        assert [w["id"] for w in hall["windows"] if w["clerk"]] == ["1"]
        await client.ok(
            "tickets", item="zonghe", ticket="A999", at="2030-01-01", x=[{}]
        )
        await client.ok("tickets/A001/abandonment", ticket="A002")
        entries = list(read(client.served.path))
        assert [e.fact.at for e in entries[1:]] == [NINE] * 3


# ── Ids ─────────────────────────────────────────────────────────────────────


async def test_a_repeated_command_has_one_effect_and_the_same_answer(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall) as (_, client):
        id = str(uuid4())
        words = {"item": "zonghe", "command_id": id}
        answers = await asyncio.gather(
            *(client.ok("tickets", **words) for _ in range(8))
        )
        assert answers == [answers[0]] * 8
        upper = await client.ok("tickets", item="zonghe", command_id=id.upper())
        assert upper == answers[0]
        opening = {"clerk": "c1", "command_id": str(uuid4())}
        first = await client.ok("windows/1/open", **opening)
        again = await client.ok("windows/1/open", **opening)
        assert again == first | {"repeated": True}
        async with unchanged(client):
            for path, words in (
                ("tickets", {"item": "shebao"}),
                ("tickets", {"item": "zonghe", "kind": "care"}),
                ("windows/1/call", {}),
                ("windows/1/open", {"clerk": "c1"}),
                ("hall/close", {}),
                ("tickets/A001/abandonment", {}),
            ):
                response = await client.post(path, **words, command_id=id)
                refused(response, 409, "CommandIdReused", "command_id")
        assert len(list(read(client.served.path))) == 3


async def test_an_id_that_is_not_a_uuid_is_refused(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client), unchanged(client):
        ids: tuple[object, ...] = (
            "",
            "1",
            "x" * 36,
            7,
            1.5,
            True,
            [],
            {},
            "令" * 36,
            str(uuid4())[:-1],
        )
        for id in ids:
            for path, words in (("tickets", {"item": "zonghe"}), ("hall/close", {})):
                response = await client.post(path, **words, command_id=id)
                refused(response, 422, "BadInput", "command_id")


async def test_a_ticket_of_yesterday_is_not_mistaken_for_todays(
    serve_hall: ServeHall,
) -> None:
    """A take repeated after midnight gets yesterday's number, and no line of today."""
    now = FloorDay().at("23:59:50")
    async with (
        serve_hall(clock=lambda: now) as served,
        httpx.AsyncClient(base_url=served.url, trust_env=False) as http,
    ):
        client = Client(served, http)
        id = str(uuid4())
        await client.ok("tickets", item="zonghe")
        last = await client.ok("tickets", item="zonghe", command_id=id)
        now += timedelta(minutes=1)
        for _ in range(3):
            await client.ok("tickets", item="zonghe")
        again = await client.ok("tickets", item="zonghe", command_id=id)
        assert again == last | {"ahead": 0}
        assert again["token"] == token_of(KEY, STREAM, "A002")


# ── Other ways in ───────────────────────────────────────────────────────────


async def raw(served: Served, request: bytes) -> tuple[int, bytes]:
    """What the port answers to these very bytes: a status, and the rest."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(100_000), 5)
    writer.close()
    await writer.wait_closed()
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return (int(status[1]) if status else 0), answer


def request_of(
    served: Served, target: str, *headers: str, method: str = "POST", host: str = ""
) -> bytes:
    host = host or served.url.removeprefix("http://")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "Content-Length: 0", "", ""]).encode(
        "latin-1"
    )


async def test_tricks_with_the_path_lead_nowhere(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (served, client):
        await client.ok("windows/1/open", clerk="c1")
        await client.ok("tickets", item="zonghe")
        async with unchanged(client):
            for target in (
                "/api/windows/1/call%3Fx",
                "/api/windows/1/call%23x",
                "/api/windows/1/dance%2Fcall",
                "/api/windows/1/%2e%2e/call",
                "/api/windows/%2e%2e/call",
                "/api/../api/windows/1/call/",
                "/api//windows/1/call",
                "/api/windows//call",
                "/api/windows/1/",
                "/api/windows/1/call/call",
                "/API/windows/1/call",
                "/api/windows/1/CALL",
                "/api/windows/1/call%00",
                "/api/windows/1/%E5%8F%AB",
                "/api/windows/" + "9" * 20_000 + "/call",
                "/api/hall/close%20",
                "/%2e%2e/%2e%2e/etc/passwd",
                "/%00",
                "*",
            ):
                status, answer = await raw(served, request_of(served, target))
                assert status in (307, 400, 404, 405, 409, 414, 422), (target, answer)
                assert b"Traceback" not in answer
            status, answer = await raw(
                served,
                request_of(
                    served, "//evil.example/api/tickets", "Content-Type: text/plain"
                ),
            )
            assert status in (404, 307)
            assert b"location: http://evil" not in answer.lower()


async def test_a_wrong_method_is_named(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client), unchanged(client):
        for method, path in (
            ("GET", "/api/tickets"),
            ("PUT", "/api/tickets"),
            ("DELETE", "/api/tickets/A001"),
            ("POST", "/api/hall"),
            ("GET", "/api/windows/1/call"),
            ("GET", "/api/hall/close"),
            ("OPTIONS", "/api/hall/close"),
            ("TRACE", "/api/hall"),
        ):
            response = await client.http.request(method, path)
            refused(response, 405, "HTTP")
            assert response.json()["message"]["zh"] == "不支持这种请求方式"
        refused(await client.http.get("/api/nothing"), 404, "HTTP")


async def test_another_site_is_turned_away(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (served, client):
        own = served.url.removeprefix("http://")
        async with unchanged(client):
            for origin in (
                "http://evil.example",
                "https://evil.example:443",
                "null",
                "",
                "file://",
                "http://[",
                "http://127.0.0.1",
                "http://127.0.0.1:1",
                f"http://{own}.evil.example",
                f"http://evil@{own}",
            ):
                response = await client.http.post(
                    "/api/tickets",
                    json={"item": "zonghe"},
                    headers={"Origin": origin},
                )
                refused(response, 403, "NotAllowed")
                with pytest.raises(InvalidStatus) as turned:
                    await ws(served, origin=origin)
                assert turned.value.response.status_code == 403
            for host in (
                "evil.example",
                "evil.example:80",
                f"{own}.evil.example",
                "[",
                "[::1",
                "10.0.0.1",
                "localhost.evil.example",
                "127.0.0.1@evil.example",
                "",
            ):
                request = request_of(served, "/api/hall/close", host=host or " ")
                status, answer = await raw(served, request)
                assert status in (400, 403), (host, answer)
                assert b"Traceback" not in answer
        words = {"item": "zonghe"}
        for headers in ({"Origin": served.url}, {}):
            response = await client.http.post(
                "/api/tickets", json=words, headers=headers
            )
            assert response.status_code == 201
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:80"):
            status, _ = await raw(
                served, request_of(served, "/api/hall", host=host, method="GET")
            )
            assert status == 200, host


async def test_every_answer_carries_the_guarding_headers(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (_, client):
        for path in ("/api/hall", "/api/nothing", "/api/tickets/A001"):
            headers = (await client.http.get(path)).headers
            for name, value in door.Threshold.HEADERS:
                assert headers[name.decode()] == value.decode()
            assert "server" not in headers


async def test_a_client_that_leaves_in_the_middle_is_no_error_of_ours(
    serve_hall: ServeHall, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_door(serve_hall) as (served, client), unchanged(client):
        host, _, port = served.url.removeprefix("http://").partition(":")
        for part in (b"", b"POST /api/tic", b'{"item"'):
            reader, writer = await asyncio.open_connection(host, int(port))
            if part.startswith(b"{"):
                head = request_of(served, "/api/tickets").decode()
                writer.write(head.replace("Length: 0", "Length: 99").encode() + part)
            else:
                writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
            await writer.wait_closed()
            del reader
        await asyncio.sleep(0.1)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


class NarrowGate:
    """Lets nothing pass but some rights, and remembers what was asked for."""

    def __init__(self, *rights: Right) -> None:
        self.rights = rights
        self.asked: list[Right] = []

    def admit(self, connection: HTTPConnection, right: Right) -> None:
        self.asked.append(right)
        if right not in self.rights:
            raise refusals.NotAllowed(why_zh="无此权限", why="not this right")


def test_who_may_do_what() -> None:
    rights = {(e.method, e.path): e.right for e in api.ENDPOINTS}
    managers = {path for (_, path), right in rights.items() if right is Right.MANAGE}
    assert managers == {
        f"/api/hall/{word}" for word in ("close", "reopen", "outage", "catalogue")
    }
    clerks = {path for (_, path), right in rights.items() if right is Right.CALL}
    assert clerks == {"/api/tickets/{ticket}/requeue"} | {
        f"/api/windows/{{window}}/{word}" for word in commands.WINDOW_COMMANDS
    }
    visitors = set(rights.values()) - {Right.MANAGE, Right.CALL}
    assert visitors == {Right.VISIT}


async def test_nothing_is_done_without_the_right_to_it(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (served, client):
        await client.ok("windows/1/open", clerk="c1")
        await client.ok("tickets", item="zonghe")
        before = list(read(served.path))
        own = served.floor.gate
        unknown = ("POST", "/api/windows/1/dance", Right.CALL)
        endpoints = [(e.method, e.path, e.right) for e in api.ENDPOINTS]
        for method, path, right in [*endpoints, unknown]:
            gate = served.floor.gate = NarrowGate(*(set(Right) - {right}))
            path = path.replace("{window}", "1").replace("{ticket}", "A001")
            path = path.replace("{booking}", "20261123-001")
            # The right is asked for before anything else: the body is not even JSON.
            response = await client.http.request(method, path, content=b"{")
            refused(response, 403, "NotAllowed")
            assert gate.asked == [right]
        served.floor.gate = NarrowGate(*(set(Right) - {Right.READ}))
        with pytest.raises(InvalidStatus) as turned:
            await ws(served)
        assert turned.value.response.status_code == 403
        served.floor.gate = NarrowGate(Right.VISIT)
        await client.ok("tickets", item="zonghe")
        served.floor.gate = own
        assert list(read(served.path))[:-1] == before


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.0.0.7", False),
        ("::ffff:10.0.0.7", False),
        ("0.0.0.0", False),
        ("", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_the_door_without_sign_in_is_for_this_machine_alone(
    host: str, admitted: bool
) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "headers": [],
        "client": (host, 1) if host else None,
    }
    for right in Right:
        let_in = True
        try:
            door.DevGate().admit(HTTPConnection(scope), right)
        except refusals.NotAllowed:
            let_in = False
        assert let_in == admitted


# ── Following over the port ─────────────────────────────────────────────────


async def ws(served: Served, query: str = "", **options: Any) -> ClientConnection:
    url = f"{served.ws_url}/ws/facts{query}"
    return await connect(url, proxy=None, open_timeout=5, **options)


async def facts_of(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    return [json.loads(await asyncio.wait_for(socket.recv(), 5)) for _ in range(count)]


async def test_facts_are_followed_and_resumed(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (served, client):
        await client.ok("windows/1/open", clerk="c1")
        async with await ws(served) as socket:
            first = await facts_of(socket, 2)
            assert [fact["fact"] for fact in first] == [
                "CataloguePublished",
                "WindowOpened",
            ]
            assert first[1] | {"command": "?"} == {
                "stream": STREAM,
                "version": 1,
                "fact": "WindowOpened",
                "position": 2,
                "at": "2026-11-23T01:00:00Z",
                "command": "?",
                "window": "1",
                "clerk": "c1",
                "items": ["zonghe", "minsheng"],
            }
            await client.ok("tickets", item="zonghe")
            (taken,) = await facts_of(socket, 1)
            assert (taken["fact"], taken["ticket"]) == ("TicketTaken", "A001")
        await client.ok("windows/1/call")
        for since in range(5):
            async with await ws(served, f"?since={since}") as socket:
                seen = await facts_of(socket, 4 - since)
                assert [fact["position"] for fact in seen] == list(range(since + 1, 5))


async def test_what_a_follower_says_is_ignored(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (served, client):
        async with await ws(served) as socket:
            await facts_of(socket, 1)
            for message in ("{", '{"command":"close-hall"}', b"\xff\x00", "x" * 16_000):
                await socket.send(message)
            await client.ok("tickets", item="zonghe")
            (taken,) = await facts_of(socket, 1)
            assert taken["fact"] == "TicketTaken"
        assert not (await client.get("hall"))["closed"]


@pytest.mark.parametrize(
    "since",
    ["-1", "x", "1.5", "", "99", "9" * 400, "1e1", "%00", "%EF%BC%91", "0x1", "%201"],
)
async def test_a_since_that_is_not_a_position_gets_a_sentence(
    serve_hall: ServeHall, since: str
) -> None:
    async with open_door(serve_hall) as (served, client), unchanged(client):
        socket = await ws(served, f"?since={since}")
        answer = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert (answer["refused"], answer["field"]) == ("BadInput", "since")
        assert "0 到 1 的整数" in answer["message"]["zh"]
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == following.WS_BAD_REQUEST


async def test_a_stalled_follower_is_cut_and_comes_back(
    serve_hall: ServeHall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "QUEUE_MAX", 50)
    async with open_door(serve_hall) as (served, client):
        await client.ok("windows/1/open", clerk="c1")
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        host, _, port = served.url.removeprefix("http://").partition(":")
        narrow.connect((host, int(port)))
        narrow.setblocking(False)
        stalled = await ws(served, sock=narrow, max_queue=1, compression=None)
        async with await ws(served, max_queue=None) as awake:
            reason = "暂停" * 100
            for _ in range(120):
                for pause in [PauseWindow(window="1", reason=reason)] * 40:
                    await_both = (pause, ResumeWindow(window="1"))
                    pressed = [served.floor.do(command) for command in await_both]
                    await asyncio.gather(*pressed)
                if not _behind(served, 2):
                    break
            total = served.floor.feed.position
            assert not _behind(served, 2), "The stalled follower was never cut."
            seen = await facts_of(awake, total)
            assert [fact["position"] for fact in seen] == list(range(1, total + 1))
        positions = []
        try:
            while True:
                text = await asyncio.wait_for(stalled.recv(), 5)
                positions.append(json.loads(text)["position"])
        except ConnectionClosed:
            assert stalled.close_code == following.WS_STALLED
        assert positions == list(range(1, len(positions) + 1))
        assert len(positions) < total
        async with await ws(served, f"?since={positions[-1]}", max_queue=None) as back:
            rest = await facts_of(back, total - len(positions))
        positions += [fact["position"] for fact in rest]
        assert positions == list(range(1, total + 1))


def _behind(served: Served, followers: int) -> bool:
    return len(served.floor.feed._followers) >= followers


async def test_followers_that_leave_are_forgotten(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (served, client):
        sockets = [await ws(served) for _ in range(5)]
        for socket_ in sockets[:3]:
            await socket_.close()
        for socket_ in sockets[3:]:
            socket_.transport.abort()
        for _ in range(100):
            if not served.floor.feed._followers:
                break
            await asyncio.sleep(0.01)
        assert not served.floor.feed._followers
        await client.ok("tickets", item="zonghe")


# ── What the door says of itself ────────────────────────────────────────────


async def test_the_document_and_the_routes_are_the_same(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall) as (served, client):
        document = await client.get("openapi.json")
        assert document["openapi"].startswith("3.1")
        described = {
            (method.upper(), path)
            for path, operations in document["paths"].items()
            for method in operations
        }
        routed = {
            (method, route.path)
            for route in api.routes(served.floor)
            if isinstance(route, Route)
            for method in (route.methods or set()) - {"HEAD"}
        }
        # The document itself, and the answer to a command that there is not.
        beside = {
            ("GET", "/api/openapi.json"),
            ("POST", "/api/windows/{window}/{command}"),
        }
        assert routed - described == beside
        assert described <= routed
        for path, operations in document["paths"].items():
            for operation in operations.values():
                named = {
                    p["name"] for p in operation["parameters"] if p["in"] == "path"
                }
                assert named == set(re.findall(r"{(\w+)}", path))
                assert operation["summary"]


class Schema:
    """As much of JSON Schema as the document uses; another word is an error."""

    KNOWN = frozenset(
        [
            "$ref",
            "type",
            "enum",
            "const",
            "anyOf",
            "properties",
            "required",
            "items",
            "pattern",
            "format",
            "title",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "propertyNames",
            "minimum",
            "maximum",
            "description",
            "default",
        ]
    )
    TYPES: ClassVar[dict[str, type]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "boolean": bool,
        "null": type(None),
    }

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas = document["components"]["schemas"]

    def errors(
        self, schema: dict[str, Any], value: Any, at: str = "$"
    ) -> Iterator[str]:
        assert set(schema) <= self.KNOWN | {"additionalProperties"}, schema
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            if all(list(self.errors(part, value)) for part in schema["anyOf"]):
                yield f"{at}: none of anyOf"
            return
        kind = schema.get("type")
        number = isinstance(value, bool) and kind == "integer"
        if kind and (number or not isinstance(value, self.TYPES[kind])):
            yield f"{at}: {value!r} is not {kind}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is not one of {schema['enum']}"
        if isinstance(value, str):
            yield from self._text_errors(schema, value, at)
        size = len(value) if isinstance(value, list) else value
        if isinstance(size, int):
            least = schema.get("minimum", schema.get("minItems", size))
            if not least <= size <= schema.get("maximum", schema.get("maxItems", size)):
                yield f"{at}: {size} is out of bounds"
        if isinstance(value, list):
            for n, part in enumerate(value):
                yield from self.errors(schema.get("items", {}), part, f"{at}[{n}]")
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            for name in set(schema.get("required", ())) - set(value):
                yield f"{at}: {name} is missing"
            if isinstance(schema.get("additionalProperties"), dict):
                extra = schema["additionalProperties"]
                properties = dict.fromkeys(value, extra) | properties
            for name, part in value.items():
                yield from self.errors(schema.get("propertyNames", {}), name, at)
                if name not in properties:
                    yield f"{at}: {name} is not described"
                else:
                    yield from self.errors(properties[name], part, f"{at}.{name}")

    @staticmethod
    def _text_errors(schema: dict[str, Any], value: str, at: str) -> Iterator[str]:
        # In JSON Schema `$` is the very end, in Python also before a last newline.
        pattern = schema.get("pattern", "").replace("$", r"\Z")
        if not re.search(pattern, value):
            yield f"{at}: {value!r} does not match {schema['pattern']}"
        if len(value) > schema.get("maxLength", 10**9):
            yield f"{at}: too long"
        if len(value) < schema.get("minLength", 0):
            yield f"{at}: too short"
        if schema.get("format") == "uuid" and not re.fullmatch(r"[0-9a-f-]{36}", value):
            yield f"{at}: not a UUID"
        if schema.get("format") == "date-time":
            try:
                if datetime.fromisoformat(value).tzinfo is None:
                    yield f"{at}: no offset"
            except ValueError:
                yield f"{at}: no instant"


Post = Callable[..., Awaitable[dict[str, Any]]]


async def live_on(post: Post) -> None:
    """All that can befall a ticket or a booking, for the paths that are left."""
    await post("windows/1/open", clerk="c1", substitutes="c9")
    four = await post("tickets", item="shebao", ground="laoren", then=["zonghe"])
    await post(f"tickets/{four['ticket']}/defer", token=four["token"])
    await post("windows/6/open", clerk="c6")
    for word in ("call", "undo", "call", "start", "hold", "return"):
        await post(f"windows/6/{word}")
    await post("windows/6/transfer", item="zonghe", front=True)
    await post("windows/6/move", to="7")
    await post("tickets", item="zonghe", identity=" 110101-19900307 123x ")
    await post("windows/1/call")
    await post("windows/1/no-show")
    await post(f"tickets/{four['ticket']}/requeue", place=0)
    slot = {"item": "zonghe", "slot_at": "2026-11-23T10:00:00+08:00"}
    ids = ("+86 138 0013 8000", "11010119900307123X", "H12345678(9)")
    made = [await post("bookings", **slot, identity=id) for id in ids]
    first, second = ((m["booking"], {"token": m["token"]}) for m in made[:2])
    await post(f"bookings/{first[0]}/cancellation", **first[1])
    await post("tickets/A004/abandonment")
    await post(f"bookings/{second[0]}/check-in", **second[1], channel="phone")
    await post("check-in", identity="h123456789", item="zonghe")
    await post("hall/outage", from_at=SLOT, to_at=SLOT, reason="断电")
    catalogue = json.loads(msgspec.json.encode(BOOKABLE))
    await post("hall/catalogue", catalogue=catalogue)


async def test_real_bodies_and_answers_are_as_described(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, BOOKABLE) as (_, client):
        document = await client.get("openapi.json")
        schema = Schema(document)
        used: set[str] = set()

        def operation_of(method: str, path: str) -> dict[str, Any]:
            for template, operations in document["paths"].items():
                pattern = re.sub(r"{\w+}", "[^/]+", template)
                asked = f"/api/{path}".partition("?")[0]
                if re.fullmatch(pattern, asked) and method in operations:
                    used.add(f"{method} {template}")
                    return cast(dict[str, Any], operations[method])
            raise AssertionError(f"{method} {path} is not described")

        def check(method: str, path: str, response: httpx.Response) -> None:
            responses = operation_of(method, path)["responses"]
            answered = responses[str(response.status_code)]
            described = answered["content"]["application/json"]["schema"]
            assert list(schema.errors(described, response.json())) == []

        def accepts(path: str, body: object) -> bool:
            content = operation_of("post", path)["requestBody"]["content"]
            described = content["application/json"]["schema"]
            return not list(schema.errors(described, body))

        async def post(path: str, **words: object) -> dict[str, Any]:
            assert accepts(path, words), (path, words)
            response = await client.post(path, **words)
            check("post", path, response)
            return cast(dict[str, Any], response.json())

        await post("windows/1/open", clerk="c1", command_id=str(uuid4()))
        await post("windows/1/pause", reason="取材料")
        await post("windows/1/resume")
        one = await post("tickets", item="zonghe", kind="care", channel="phone")
        await post("windows/1/call")
        await post("windows/1/recall", ticket=one["ticket"])
        await post("windows/1/no-show")
        two = await post("tickets", item="zonghe")
        await post("windows/1/call-ticket", ticket=two["ticket"], reason="急")
        await post("windows/1/start")
        await post("windows/1/finish", outcome="done")
        await post("windows/1/invite")
        await post(
            f"tickets/{two['ticket']}/evaluation",
            level="satisfied",
            token=two["token"],
            channel="qr",
        )
        three = await post("tickets", item="zonghe")
        await post(f"tickets/{three['ticket']}/abandonment", token=three["token"])
        await post("windows/1/close")
        await live_on(post)
        for path in (
            "hall", "tickets/A001", "tickets/A002", "tickets/A003/why",
            "slots?item=zonghe", "slots?item=nix", "tickets/A003/why?lang=en",
        ):  # fmt: skip
            check("get", path, await client.http.get(f"/api/{path}"))
        await post("windows/99/call")
        await post("hall/close", reason="clerk")
        await post("windows/1/open", clerk="c1")
        await post("hall/reopen", reason="误操作")
        assert used == {
            f"{method} {path}"
            for path, operations in document["paths"].items()
            for method in operations
        }
        # What the door refuses as badly shaped, the document does not allow either.
        for path, words, field, values in BAD_FIELDS:
            for value in values:
                if value is not None:
                    assert not accepts(path, words | {field: value}), (path, value)
        assert not accepts("tickets", {"item": "zonghe", "command_id": "1"})
        assert not accepts("tickets", {})


async def test_the_hall_serves_many_at_once(serve_hall: ServeHall) -> None:
    """Over the port and within the process, the same one writer."""
    async with open_door(serve_hall) as (served, client):
        over_port = [client.ok("tickets", item="zonghe") for _ in range(40)]
        within = [served.floor.do(TakeTicket(item="shebao")) for _ in range(40)]
        opening = served.floor.do(OpenWindow(window="1", clerk="c1"))
        await asyncio.gather(*over_port, *within, opening)
        entries = list(read(served.path))
        assert [e.position for e in entries] == list(range(1, 83))
        assert (await client.get("hall"))["position"] == 82
