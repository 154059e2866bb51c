"""The window's end: connected when it can be, honest when it is not.

Knows nothing of a screen. A press either reaches the hall now or is refused now:
nothing is ever kept to be sent later, since a visitor who is called by a press of
five minutes ago is called wrongly.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from callers import messages
from callers.messages import Board, Done, HallSays, Refused
from floor.refusals import Unusable

# An answer takes milliseconds; after this the clerk must look for himself.
ANSWER_S_MAX = 5.0
OPEN_S_MAX = 3.0
CLOSE_S_MAX = 1.0
# A cable pulled is noticed within ten seconds even if nobody presses anything.
PING_S = 5.0
# Back at once after a restart of the hall, and no storm while it is away. Each wait
# is shortened by chance, so that 200 windows do not all come in the same instant.
RETRY_S_MIN = 0.2
RETRY_S_MAX = 3.0

Link = Literal[
    "connecting", "online", "offline", "not_allowed", "unknown_window", "unreadable"
]

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class BadAddress(Unusable):
    """The address of the hall cannot be used; the sentence shows what one is like."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"服务器地址“{url}”填写有误，应如 http://10.0.0.5:8000",
            f"{url!r} is no address of a hall; it looks like http://10.0.0.5:8000",
        )


class Refusal(Exception):
    """The hall said no; nothing changed."""

    def __init__(self, refused: Refused) -> None:
        self.code = refused.refused
        self.message = refused.message
        self.field = refused.field
        super().__init__(f"{self.code}: {self.message.get('en', '')}")


class Offline(Exception):
    """There is no connection; nothing was sent and nothing will be."""


class Busy(Exception):
    """The press before this one has not been answered yet; nothing was sent."""


class Unanswered(Exception):
    """Sent, but no answer came; look at the board before pressing again."""


class WindowClient:
    """One window's connection to its hall: `async with WindowClient(url, "3")`.

    Attributes:
        window: id of the window.
        link: whether the hall can be reached now, or why not.
        board: the last board that came; out of date unless the link is online.

    Args:
        url: of the hall, `http://…` or `ws://…`.
        window: id of the window.
        on_board: told of each new board.
        on_link: told of each change of the link; online after the first board.

    Raises:
        BadAddress: the url names no server.
    """

    def __init__(
        self,
        url: str,
        window: str,
        *,
        on_board: Callable[[Board], object] = lambda board: None,
        on_link: Callable[[Link], object] = lambda link: None,
    ) -> None:
        self.address = address(url, window)
        self.window = window
        self.link: Link = "connecting"
        self.board: Board | None = None
        self._on_board = on_board
        self._on_link = on_link
        self._connection: ClientConnection | None = None
        self._press: _Press | None = None
        self._running: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        retry_s = RETRY_S_MIN
        while True:
            link = await self._connect()
            retry_s = RETRY_S_MIN if self.link == "online" else retry_s
            self._turn(link)
            await asyncio.sleep(retry_s * random.uniform(0.5, 1))
            retry_s = min(retry_s * 1.6, RETRY_S_MAX)

    async def say(self, command: str, /, **words: str) -> Done:
        """Press a key of the window: `say("call")`, `say("open", clerk="c3")`.

        When the connection is lost before the answer came and is back within the
        time of an answer, the press is repeated once under the same id, so that it
        still has one effect.

        Raises:
            Offline, Busy: nothing was sent.
            Refusal: nothing was done.
            Unanswered: nobody knows; the connection is made anew.
        """
        if self._connection is None:
            raise Offline
        if self._press is not None:
            raise Busy
        id = str(uuid4())
        self._press = press = _Press(id, messages.ask(id, command, words))
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await _send(self._connection, press)
                answer = await press.answer
        except TimeoutError:
            # What still lies in the buffers of a dead line must not arrive later.
            if self._connection is not None:
                self._connection.transport.abort()
            raise Unanswered from None
        finally:
            self._press = None
        if isinstance(answer, Refused):
            raise Refusal(answer)
        return answer

    async def _connect(self) -> Link:
        """One connection from beginning to end, and what it ended with."""
        try:
            async with connect(
                self.address,
                proxy=None,  # The hall is next door, whatever this machine browses by.
                compression=None,
                open_timeout=OPEN_S_MAX,
                close_timeout=CLOSE_S_MAX,
                ping_interval=PING_S,
                ping_timeout=PING_S,
                max_size=messages.BOARD_BYTES_MAX,
            ) as connection:
                return await self._converse(connection)
        except InvalidStatus as error:
            allowed = error.response.status_code not in (401, 403)
            return "offline" if allowed else "not_allowed"
        except (OSError, WebSocketException):
            return "offline"

    async def _converse(self, connection: ClientConnection) -> Link:
        try:
            async for text in connection:
                await self._hear(connection, messages.decode(text))
        except msgspec.DecodeError:
            return "unreadable"
        except ConnectionClosed:
            pass
        finally:
            self._connection = None
        unknown = connection.close_code == messages.CLOSE_UNKNOWN_WINDOW
        return "unknown_window" if unknown else "offline"

    async def _hear(self, connection: ClientConnection, says: HallSays) -> None:
        if isinstance(says, Board):
            self.board = says
            self._on_board(says)
            if self._connection is None:
                self._connection = connection
                self._turn("online")
                await self._press_again(connection)
        elif self._press is not None and says.id == self._press.id:
            self._press.hear(says)

    async def _press_again(self, connection: ClientConnection) -> None:
        if self._press is not None and not self._press.repeated:
            self._press.repeated = True
            await _send(connection, self._press)

    def _turn(self, link: Link) -> None:
        self._settled.set()
        if link != self.link:
            self.link = link
            self._on_link(link)

    async def __aenter__(self) -> Self:
        """Run beside the block; enters when the hall has answered, or has not."""
        self._running = asyncio.create_task(self.run())
        await self._settled.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._running is not None, "What is left was entered."
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running


class _Press:
    """A press on its way, and whoever waits for its answer."""

    def __init__(self, id: str, text: str) -> None:
        self.id = id
        self.text = text
        self.repeated = False
        self.answer: asyncio.Future[Done | Refused] = (
            asyncio.get_running_loop().create_future()
        )

    def hear(self, says: Done | Refused) -> None:
        if not self.answer.done():
            self.answer.set_result(says)


async def _send(connection: ClientConnection, press: _Press) -> None:
    # Lost this instant: the next connection may still repeat it in time.
    with suppress(ConnectionClosed):
        await connection.send(press.text)


def address(url: str, window: str) -> str:
    """Where a window's terminal connects to.

    Raises:
        BadAddress: the url names no server.
    """
    try:
        parts = urlsplit(url)
        scheme, port = _SCHEMES.get(parts.scheme), parts.port
    except ValueError:
        raise BadAddress(url) from None
    if scheme is None or not parts.hostname or port == 0:
        raise BadAddress(url)
    path = f"{parts.path.rstrip('/')}/ws/window/{quote(window, safe='')}"
    return urlunsplit((scheme, parts.netloc, path, "", ""))
