"""The one port: every page, question, command and follower comes through here.

Starlette and uvicorn, websocket frames by the websockets package. The rooms hand in
their routes; what they get is a `Floor`. Who may do what is asked at one place, the
`Gate`; where a request comes from is checked before any room sees it.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from floor import refusals
from floor.commands import Command
from floor.follow import Feed
from floor.hall import Hall, Receipt
from floor.upkeep import Upkeep

BODY_BYTES_MAX = 16_384  # All right commands but a catalogue are far below this.
CONNECTIONS_MAX = 2_000  # 300 screens, 200 windows, and visitors' phones.
PING_S = 20
TURN_DAY_EVERY_S = 20

Clock = Callable[[], datetime]

logger = logging.getLogger(__name__)


class Right(StrEnum):
    """What somebody may do here."""

    VISIT = "visit"  # Take a ticket, see the screens, rate one's own service.
    CALL = "call"  # A clerk's commands at a window.
    READ = "read"  # Every fact, and the assessment.
    MANAGE = "manage"  # Close the hall.


class Gate(Protocol):
    """The one place that decides who may do what."""

    def admit(self, connection: HTTPConnection, right: Right) -> None:
        """Let the connection do this, or raise `NotAllowed`."""


class DevGate:
    """`serve --dev`: all rights without sign-in, for this machine alone."""

    def admit(self, connection: HTTPConnection, right: Right) -> None:
        host = connection.client.host if connection.client else ""
        if not is_loopback(host):
            raise refusals.NotAllowed(
                why_zh="开发模式只接受本机连接", why="--dev serves this machine only"
            )


class Floor:
    """What a room's routes are given: the hall, as followed and as commanded.

    Args:
        hall: None when a recorded day is shown, which nobody can command.
        clock: aware UTC; the only way for anything behind the door to know the time.
        key: the hall's secret, for visitors' links.
        upkeep: the care for the log's disk; None leaves it to somebody else.
    """

    def __init__(
        self,
        feed: Feed,
        hall: Hall | None,
        clock: Clock,
        gate: Gate,
        key: bytes,
        upkeep: Upkeep | None = None,
    ) -> None:
        self.feed = feed
        self.clock = clock
        self.gate = gate
        self.key = key
        self._hall = hall
        self.upkeep = upkeep

    async def do(self, command: Command) -> Receipt:
        """Carry out a command now; the answer is durable.

        Raises:
            Refused: nothing was done.
        """
        if self._hall is None:
            raise refusals.NotAllowed(
                why_zh="这是录像回放", why="this is the replay of a recorded day"
            )
        return await self._hall.do(command, self.clock())

    async def turn_days(self) -> None:
        """Show an empty hall when the next business day begins."""
        while self._hall is not None:  # A recorded day stays what it is.
            now = self.clock()
            try:
                await self._hall.turn_day(now)
                self.feed.turn_day(now)
            except refusals.Refused:
                logger.warning("The day could not be turned; trying again.")
            await asyncio.sleep(TURN_DAY_EVERY_S)


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# ── The application ─────────────────────────────────────────────────────────


def application(floor: Floor, routes: Sequence[BaseRoute]) -> ASGIApp:
    """The hall's web application, out of the routes of all rooms."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(floor.turn_days())]
        if floor.upkeep is not None:
            tasks.append(asyncio.create_task(floor.upkeep.run(floor.clock)))
        yield
        for task in tasks:
            task.cancel()

    app = Starlette(
        routes=list(routes),
        lifespan=lifespan,
        exception_handlers={
            refusals.Refused: _answer_refusal,
            HTTPException: _answer_http,
            Exception: _answer_bug,
        },
    )
    return Threshold(app)


class Threshold:
    """Checks each connection before any room sees it, and bounds what it sends.

    A foreign page in the same browser could otherwise press keys for a clerk, since
    websockets and simple POSTs carry cookies across origins.
    """

    HEADERS = (
        (b"content-security-policy", b"default-src 'self'; frame-ancestors 'self'"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if not same_origin(connection):
            await self._turn_away(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*self.HEADERS, *message.get("headers", ())]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    async def _turn_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = refusals.NotAllowed(
            why_zh="请求来自其他网站", why="the request comes from another site"
        )
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await answer(refusal)(scope, receive, send)


def same_origin(connection: HTTPConnection) -> bool:
    """Whether a request comes from our own pages, or from no page at all.

    A name that merely points at this machine (DNS rebinding) is turned away as well:
    on loopback only loopback's own names are answered.
    """
    host = connection.headers.get("host", "")
    origin = connection.headers.get("origin")
    try:
        asked = urlsplit(f"//{host}")
        name, _ = asked.hostname or "", asked.port
        site = host if origin is None else urlsplit(origin).netloc
    except ValueError:  # `http://[` names nothing, nor does a port that is no number.
        return False
    server = connection.scope.get("server") or ("", 0)
    if is_loopback(str(server[0])) and not is_loopback(name):
        return False
    return site == host


def answer(refusal: refusals.Refused) -> Response:
    """A refusal as JSON: `{"refused", "message": {"zh", "en"}, "field"?}`."""
    return json_response(refusal_words(refusal), refusal.status)


def refusal_words(refusal: refusals.Refused) -> dict[str, object]:
    """A refusal as plain values, the same at every door."""
    words: dict[str, object] = {"refused": refusal.code, "message": refusal.message}
    if refusal.field:
        words["field"] = refusal.field
    return words


def json_response(value: object, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(value), status_code=status, media_type="application/json"
    )


async def read_json(request: Request, bytes_max: int = BODY_BYTES_MAX) -> object:
    """The JSON body of a request; an empty body is an empty object.

    Raises:
        TooLarge: refused before more than the bound is read.
        BadInput: not JSON, or not all of it came.
    """
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > bytes_max:
                raise refusals.TooLarge(limit=bytes_max)
    except ClientDisconnect:
        raise refusals.BadInput(
            name="body", why="the connection ended", why_zh="连接中断"
        ) from None
    if not body:
        return {}
    return decode_json(bytes(body))


def decode_json(text: bytes | str) -> object:
    """Plain values from JSON that came through a door.

    Raises:
        BadInput: not JSON, or nested beyond any right message.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise refusals.BadInput(
            name="body", why="not JSON", why_zh="不是有效的 JSON"
        ) from None


async def until_gone(
    socket: WebSocket, sending: Coroutine[object, object, None]
) -> None:
    """Send over an accepted websocket until that ends or the other side is gone.

    A sender that waits for the next fact would not notice by itself; whatever the
    other side says meanwhile is ignored.
    """

    async def listen_on() -> None:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass

    await until_one_ends(sending, listen_on())


async def until_one_ends(*jobs: Coroutine[object, object, None]) -> None:
    """Let several jobs share an accepted websocket, and end them with the first.

    A connection that was lost ends them quietly; any other error is raised.
    """
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except (WebSocketDisconnect, RuntimeError):
        pass  # It left in the middle of a message.
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, refusals.Refused)
    return answer(error)


async def _answer_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    zh = {404: "没有这个页面", 405: "不支持这种请求方式"}.get(
        error.status_code, "请求有误"
    )
    words = {"refused": "HTTP", "message": {"zh": zh, "en": error.detail}}
    return json_response(words, error.status_code)


async def _answer_bug(_: Request, error: Exception) -> Response:
    logger.error("A request broke", exc_info=error)
    message = {
        "zh": "系统内部错误，请通知管理员",
        "en": "Internal error; tell the operator",
    }
    return json_response({"refused": "Internal", "message": message}, 500)


# ── Serving ─────────────────────────────────────────────────────────────────


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle on and every answer waits 40 ms for an ACK.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:  # Overflow: beyond port 65535.
        listening.close()
        raise refusals.Unusable(
            f"无法监听 {host} 的端口 {port}，可能已被占用",
            f"Cannot listen on {host}, port {port}: {error}",
        ) from None
    return listening


def server(app: ASGIApp) -> uvicorn.Server:
    """A uvicorn as the hall wants it: small messages, no deflate, bounded."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            # Deflate costs four times the memory and twice the CPU on a LAN.
            ws_per_message_deflate=False,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            ws_max_size=BODY_BYTES_MAX,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=2,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
        )
    )


@asynccontextmanager
async def running(app: ASGIApp, listening: socket.socket) -> AsyncIterator[str]:
    """Serve on a socket while the block runs; gives the base URL."""
    serving = server(app)
    task = asyncio.create_task(serving.serve(sockets=[listening]))
    try:
        while not serving.started:
            if task.done():
                await task
                raise RuntimeError("The server did not start.")
            await asyncio.sleep(0.01)
        host, port = listening.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        serving.should_exit = True
        await task
