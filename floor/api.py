"""The JSON door: every path, what it is for, and who may use it.

Every command ends in the same rule as one from a clerk's terminal. The table
`ENDPOINTS` is both the routes and the OpenAPI document, so the two cannot differ.
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from floor import commands
from floor.answers import (
    BookedAnswer,
    CommandAnswer,
    HallAnswer,
    SlotsAnswer,
    TakenAnswer,
    TicketAnswer,
    WhyAnswer,
)
from floor.door import Floor, Right, json_response
from floor.endpoints import bookings, hall, tickets
from floor.endpoints.following import entry_json as entry_json
from floor.endpoints.following import follow_facts
from floor.openapi import Endpoint, document

TICKETS = (
    Endpoint(
        "POST",
        "/api/tickets",
        "取号 Take a ticket",
        tickets.take,
        Right.VISIT,
        commands.TakeTicket,
        TakenAnswer,
        201,
    ),
    Endpoint(
        "GET",
        "/api/tickets/{ticket}",
        "查号 Ask where a ticket is",
        tickets.ticket,
        Right.VISIT,
        None,
        TicketAnswer,
    ),
    Endpoint(
        "GET",
        "/api/tickets/{ticket}/why",
        "为什么先叫别人 Ask who was called before a ticket, and why",
        tickets.asked_why,
        Right.VISIT,
        None,
        WhyAnswer,
        query=("lang",),
    ),
    Endpoint(
        "POST",
        "/api/tickets/{ticket}/defer",
        "延后 Let some others go first",
        tickets.defer,
        Right.VISIT,
        commands.DeferTicket,
        CommandAnswer,
        token="needed",
    ),
    Endpoint(
        "POST",
        "/api/tickets/{ticket}/abandonment",
        "弃号 Give up waiting",
        tickets.abandon,
        Right.VISIT,
        commands.AbandonTicket,
        CommandAnswer,
        token="optional",
    ),
    Endpoint(
        "POST",
        "/api/tickets/{ticket}/evaluation",
        "评价 Rate a finished service",
        tickets.evaluate,
        Right.VISIT,
        commands.Evaluate,
        CommandAnswer,
        token="optional",
    ),
    Endpoint(
        "POST",
        "/api/tickets/{ticket}/requeue",
        "过号恢复 Let a visitor wait again who was not there",
        tickets.requeue,
        Right.CALL,
        commands.RequeueTicket,
        CommandAnswer,
    ),
)

BOOKINGS = (
    Endpoint(
        "GET",
        "/api/slots",
        "预约时段 Ask for the time slots of an item, today's without a date",
        bookings.free_slots,
        Right.VISIT,
        None,
        SlotsAnswer,
        query=("date",),
        query_needed=("item",),
    ),
    Endpoint(
        "POST",
        "/api/bookings",
        "预约 Book a place in a time slot",
        bookings.book,
        Right.VISIT,
        commands.BookAppointment,
        BookedAnswer,
        201,
    ),
    Endpoint(
        "POST",
        "/api/bookings/{booking}/cancellation",
        "取消预约 Give the place back",
        bookings.cancel,
        Right.VISIT,
        commands.CancelAppointment,
        CommandAnswer,
        token="needed",
    ),
    Endpoint(
        "POST",
        "/api/bookings/{booking}/check-in",
        "预约签到 Turn a booking into a ticket",
        bookings.check_in,
        Right.VISIT,
        commands.CheckIn,
        TakenAnswer,
        201,
        token="needed",
    ),
    Endpoint(
        "POST",
        "/api/check-in",
        "刷证签到 Check in whoever shows an identity",
        bookings.check_in_person,
        Right.VISIT,
        bookings.PersonShown,
        TakenAnswer,
        201,
    ),
)

WINDOWS = tuple(
    Endpoint(
        "POST",
        f"/api/windows/{{window}}/{word}",
        (shape.__doc__ or word).strip(),
        hall.window_command,
        Right.CALL,
        shape,
        CommandAnswer,
    )
    for word, shape in commands.WINDOW_COMMANDS.items()
)

HALL = (
    Endpoint(
        "GET",
        "/api/hall",
        "大厅 The hall as it is now",
        hall.hall,
        Right.VISIT,
        None,
        HallAnswer,
    ),
    Endpoint(
        "POST",
        "/api/hall/close",
        "闭厅 Close the hall for today",
        hall.close,
        Right.MANAGE,
        commands.CloseHall,
        CommandAnswer,
    ),
    Endpoint(
        "POST",
        "/api/hall/reopen",
        "恢复开厅 Open the hall again today",
        hall.reopen,
        Right.MANAGE,
        commands.ReopenHall,
        CommandAnswer,
    ),
    Endpoint(
        "POST",
        "/api/hall/outage",
        "系统故障 Declare that no window was to blame for a while",
        hall.outage,
        Right.MANAGE,
        commands.DeclareOutage,
        CommandAnswer,
    ),
    Endpoint(
        "POST",
        "/api/hall/catalogue",
        "目录发布 Put a new catalogue into force",
        hall.publish,
        Right.MANAGE,
        commands.PublishCatalogue,
        CommandAnswer,
    ),
)

ENDPOINTS: tuple[Endpoint, ...] = (*TICKETS, *BOOKINGS, *WINDOWS, *HALL)


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
        return await hall.window_command(floor, request)

    async def follow(socket: WebSocket) -> None:
        await follow_facts(floor, socket)

    return [
        *(
            Route(endpoint.path, bound(endpoint), methods=[endpoint.method])
            for endpoint in ENDPOINTS
        ),
        Route("/api/windows/{window}/{command}", unknown_command, methods=["POST"]),
        Route("/api/openapi.json", describe, methods=["GET"]),
        WebSocketRoute("/ws/facts", follow),
    ]
