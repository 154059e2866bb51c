"""The JSON door: take, ask, command, rate, and follow the facts.

Every command ends in the same rule as one from a clerk's terminal. The table
`ENDPOINTS` is both the routes and the OpenAPI document, so the two cannot differ.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from floor import commands, facts, refusals
from floor.answers import (
    AlarmAnswer,
    CommandAnswer,
    HallAnswer,
    ItemAnswer,
    TakenAnswer,
    TicketAnswer,
    WindowAnswer,
)
from floor.day import Day
from floor.door import (
    Floor,
    Right,
    json_response,
    read_json,
    refusal_words,
    until_gone,
)
from floor.facts import Entry
from floor.follow import Stalled
from floor.hall import Receipt
from floor.openapi import Endpoint, document
from floor.tickets import Ticket
from floor.tokens import matches, token_of

WS_STALLED = 4008  # Come back with ?since= your last position.
WS_BAD_REQUEST = 4000


# ── The endpoints ───────────────────────────────────────────────────────────


async def take(floor: Floor, request: Request) -> Response:
    words = _with_id(await read_json(request))
    receipt = await floor.do(commands.read(words, commands.TakeTicket))
    taken = receipt.entry.fact
    assert isinstance(taken, facts.TicketTaken)
    # Seen from the durable day, which by now may be a few facts further on, or
    # even the next one, where another ticket has this number.
    day = floor.feed.day
    today = receipt.entry.stream == day.stream
    return json_response(
        TakenAnswer(
            ticket=taken.ticket,
            item=taken.item,
            ahead=day.ahead(day.tickets[taken.ticket]) if today else 0,
            windows=day.windows_for(taken.item),
            token=token_of(floor.key, receipt.entry.stream, taken.ticket),
            position=taken.position,
        ),
        201,
    )


async def ticket(floor: Floor, request: Request) -> Response:
    day = floor.feed.day
    known = day.tickets.get(request.path_params["ticket"])
    if known is None:
        raise refusals.UnknownTicket(ticket=request.path_params["ticket"])
    return json_response(_ticket_answer(day, known))


async def abandon(floor: Floor, request: Request) -> Response:
    words = await _ticket_words(floor, request)
    return _carried_out(await floor.do(commands.read(words, commands.AbandonTicket)))


async def evaluate(floor: Floor, request: Request) -> Response:
    words = await _ticket_words(floor, request)
    return _carried_out(await floor.do(commands.read(words, commands.Evaluate)))


async def window_command(floor: Floor, request: Request) -> Response:
    word = request.scope["path"].rpartition("/")[2]
    shape = commands.WINDOW_COMMANDS.get(word)
    if shape is None:
        raise refusals.UnknownCommand(command=word)
    words = _with_id(await read_json(request))
    words["window"] = request.path_params["window"]
    return _carried_out(await floor.do(commands.read(words, shape)))


async def close_hall(floor: Floor, request: Request) -> Response:
    words = _with_id(await read_json(request))
    return _carried_out(await floor.do(commands.read(words, commands.CloseHall)))


async def hall(floor: Floor, request: Request) -> Response:
    return json_response(_hall_answer(floor))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/api/tickets",
        "取号 Take a ticket",
        take,
        Right.VISIT,
        commands.TakeTicket,
        TakenAnswer,
        201,
    ),
    Endpoint(
        "GET",
        "/api/tickets/{ticket}",
        "查号 Ask where a ticket is",
        ticket,
        Right.VISIT,
        None,
        TicketAnswer,
    ),
    Endpoint(
        "POST",
        "/api/tickets/{ticket}/abandonment",
        "弃号 Give up waiting",
        abandon,
        Right.VISIT,
        commands.AbandonTicket,
        CommandAnswer,
    ),
    Endpoint(
        "POST",
        "/api/tickets/{ticket}/evaluation",
        "评价 Rate a finished service",
        evaluate,
        Right.VISIT,
        commands.Evaluate,
        CommandAnswer,
    ),
    *(
        Endpoint(
            "POST",
            f"/api/windows/{{window}}/{word}",
            (shape.__doc__ or word).strip(),
            window_command,
            Right.CALL,
            shape,
            CommandAnswer,
        )
        for word, shape in commands.WINDOW_COMMANDS.items()
    ),
    Endpoint(
        "POST",
        "/api/hall/close",
        "闭厅 Close the hall for today",
        close_hall,
        Right.MANAGE,
        commands.CloseHall,
        CommandAnswer,
    ),
    Endpoint(
        "GET",
        "/api/hall",
        "大厅 The hall as it is now",
        hall,
        Right.VISIT,
        None,
        HallAnswer,
    ),
)


def routes(floor: Floor) -> Sequence[BaseRoute]:
    """The routes of the JSON door and of `/ws/facts`."""

    def bound(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            floor.gate.admit(request, endpoint.right)
            return await endpoint.handler(floor, request)

        return handle

    async def describe(request: Request) -> Response:
        return json_response(document(ENDPOINTS))

    async def unknown_command(request: Request) -> Response:
        floor.gate.admit(request, Right.CALL)
        return await window_command(floor, request)

    async def follow_facts(socket: WebSocket) -> None:
        await _follow_facts(floor, socket)

    return [
        *(
            Route(endpoint.path, bound(endpoint), methods=[endpoint.method])
            for endpoint in ENDPOINTS
        ),
        Route("/api/windows/{window}/{command}", unknown_command, methods=["POST"]),
        Route("/api/openapi.json", describe, methods=["GET"]),
        WebSocketRoute("/ws/facts", follow_facts),
    ]


# ── Following facts over the port ───────────────────────────────────────────


async def _follow_facts(floor: Floor, socket: WebSocket) -> None:
    """Every fact after `?since=`, then new ones; one JSON object each."""
    try:
        floor.gate.admit(socket, Right.READ)
    except refusals.NotAllowed:
        await socket.close(1008)
        return
    since = socket.query_params.get("since", "0")
    await socket.accept()
    if not re.fullmatch(r"[0-9]{1,15}", since) or int(since) > floor.feed.position:
        last = floor.feed.position
        refusal = refusals.BadInput(
            name="since",
            why=f"not an integer from 0 to {last}",
            why_zh=f"应为 0 到 {last} 的整数",
        )
        await socket.send_text(msgspec.json.encode(refusal_words(refusal)).decode())
        await socket.close(WS_BAD_REQUEST)
        return
    await until_gone(socket, _send_facts(floor, socket, int(since)))


async def _send_facts(floor: Floor, socket: WebSocket, since: int) -> None:
    follower = floor.feed.follow(since)
    try:
        async for entry in follower:
            await socket.send_text(entry_json(entry))
    except Stalled:
        await socket.close(WS_STALLED, "stalled; come back with since")
    finally:
        follower.close()


def entry_json(entry: Entry) -> str:
    """A fact for a follower: its place in the log, its topic, and its own words."""
    words = msgspec.to_builtins(entry.fact)
    head = {"stream": entry.stream, "version": entry.version, "fact": entry.topic}
    return msgspec.json.encode(head | words).decode()


# ── Words in, words out ─────────────────────────────────────────────────────


def _with_id(words: object) -> dict[str, Any]:
    """The words of a command; its id must be a UUID at this door, or is chosen."""
    if not isinstance(words, dict):
        raise refusals.BadInput(
            name="body", why="not a JSON object", why_zh="应为 JSON 对象"
        )
    id = words.get("command_id")
    try:
        id = str(UUID(id)) if id is not None else str(uuid4())
    except (ValueError, AttributeError, TypeError):
        raise refusals.BadInput(
            name="command_id", why="not a UUID", why_zh="应为 UUID"
        ) from None
    return words | {"command_id": id}


async def _ticket_words(floor: Floor, request: Request) -> dict[str, Any]:
    """The words of a visitor's command about a ticket; a token must be its own."""
    words = _with_id(await read_json(request))
    ticket = words["ticket"] = request.path_params["ticket"]
    token = words.pop("token", None)
    if token is not None:
        stream = floor.feed.day.stream
        if not isinstance(token, str) or not matches(floor.key, stream, ticket, token):
            raise refusals.NotAllowed(
                why_zh="链接与票号不符", why="the link does not belong to the ticket"
            )
    return words


def _carried_out(receipt: Receipt) -> Response:
    fact = receipt.entry.fact
    return json_response(command_answer(receipt, fact))


def command_answer(receipt: Receipt, fact: facts.Fact) -> CommandAnswer:
    """What whoever pressed hears, at every door."""
    return CommandAnswer(
        ticket=getattr(fact, "ticket", None),
        window=getattr(fact, "window", None),
        position=fact.position,
        fact=receipt.entry.topic,
        at=fact.at.isoformat(),
        repeated=receipt.repeated,
    )


def _ticket_answer(day: Day, known: Ticket) -> TicketAnswer:
    return TicketAnswer(
        ticket=known.id,
        item=known.item,
        state=known.state,
        ahead=day.ahead(known),
        windows=day.windows_for(known.item),
        window=known.window or None,
        level=known.level,
    )


def _hall_answer(floor: Floor) -> HallAnswer:
    day = floor.feed.day
    return HallAnswer(
        hall=day.catalogue.hall,
        name=day.catalogue.name,
        name_en=day.catalogue.name_en,
        date=day.date.isoformat(),
        closed=day.closed,
        position=floor.feed.position,
        items=[
            ItemAnswer(
                id=item.id,
                name=item.name,
                name_en=item.name_en,
                waiting=len(day.lines[item.id]),
                windows=day.windows_for(item.id),
            )
            for item in day.items.values()
        ],
        windows=[
            WindowAnswer(
                id=window.id,
                name=window.name,
                name_en=window.name_en,
                state=day.places[window.id].state,
                ticket=day.places[window.id].ticket or None,
                clerk=day.places[window.id].clerk or None,
                items=list(window.items),
            )
            for window in day.windows.values()
        ],
        alarms=[
            AlarmAnswer(code=alarm.code, message=alarm.message)
            for alarm in (floor.upkeep.alarms if floor.upkeep else ())
        ],
    )
