"""The hall's end of the clerks' terminals: `/ws/window/{window}`.

A press is answered before the next one of the same terminal is read, so answers come
in order and nothing piles up. Boards are made when they are sent, never before: a
slow terminal gets the newest one and no backlog, a stalled one is cut off.
"""

import asyncio
import logging
from collections.abc import Sequence

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from callers import boards, messages
from callers.messages import Done, HallSays, Refused
from floor import refusals
from floor.day import Day
from floor.door import Floor, Right, until_one_ends
from floor.facts import Entry
from floor.hall import Receipt

# In a rush of 50 facts a second nobody reads 50 boards: 20 a second are a film.
BOARD_GAP_S = 0.05
# Some boards and 64 KiB fit on the way; a terminal that takes none of it so long has
# stopped.
STALL_S_MAX = 5.0
# And so long it may take it to hear that it is sent away, if it is still there.
FAREWELL_S_MAX = 5.0
# Our terminal sends none; a program that goes on sending them will not learn.
BAD_MESSAGES_MAX = 16

logger = logging.getLogger(__name__)


def routes(floor: Floor) -> Sequence[BaseRoute]:
    """The route of the clerks' terminals."""
    terminals: set[Terminal] = set()

    def hear(day: Day, entry: Entry | None) -> None:
        for terminal in terminals:
            if boards.concerns(day, entry, terminal.window):
                terminal.changed.set()

    async def window(socket: WebSocket) -> None:
        try:
            floor.gate.admit(socket, Right.CALL)
        except refusals.NotAllowed:
            await socket.close(1008)
            return
        await socket.accept()
        terminal = Terminal(floor, socket, socket.path_params["window"])
        terminals.add(terminal)
        try:
            await terminal.serve()
        finally:
            terminals.discard(terminal)

    floor.feed.watch(hear)
    # A path, so that a window with a slash in it is unknown and not merely forbidden.
    return [WebSocketRoute("/ws/window/{window:path}", window)]


class Terminal:
    """One connected terminal at its window.

    Attributes:
        changed: the board it has seen may be out of date.
    """

    def __init__(self, floor: Floor, socket: WebSocket, window: str) -> None:
        self._floor = floor
        self._socket = socket
        self.window = window
        self.changed = asyncio.Event()
        self.changed.set()

    async def serve(self) -> None:
        """Talk with the terminal until it is gone or has to go."""
        try:
            await until_one_ends(self._answer_presses(), self._show_boards())
        except _Goodbye as goodbye:
            await self._close(goodbye.code)

    async def _show_boards(self) -> None:
        while True:
            await self.changed.wait()
            await self._show_board()
            await asyncio.sleep(BOARD_GAP_S)

    async def _show_board(self) -> None:
        if not self.changed.is_set():
            return
        self.changed.clear()
        feed = self._floor.feed
        now = self._floor.clock()
        board = boards.board(feed.day, feed.position, self.window, now)
        if board is None:
            window = self.window[: messages.ECHO_CHARS_MAX]
            await self._send(_refused("", refusals.UnknownWindow(window=window)))
            raise _Goodbye(messages.CLOSE_UNKNOWN_WINDOW)
        await self._send(board)

    async def _answer_presses(self) -> None:
        bad = 0
        while bad <= BAD_MESSAGES_MAX:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            answer = await self._answer(message.get("text"))
            if isinstance(answer, Refused):
                bad += answer.refused in ("BadInput", "UnknownCommand")
            else:
                await self._show_board()
            await self._send(answer)
        raise _Goodbye(messages.CLOSE_BAD_MESSAGES)

    async def _answer(self, text: str | None) -> Done | Refused:
        """Carry out one press; whatever is wrong with it, the terminal hears of it."""
        id = ""
        try:
            if text is None:
                raise refusals.BadInput(
                    name="body", why="binary, not text", why_zh="应为文本消息"
                )
            asked = messages.read_asked(text)
            id = asked.id
            receipt = await self._floor.do(asked.command(self.window))
        except refusals.Refused as refusal:
            return _refused(id, refusal)
        except Exception:
            logger.exception("A press at window %s broke", self.window)
            return Refused(id=id, refused="Internal", message=INTERNAL)
        return _done(id, receipt)

    async def _send(self, says: HallSays) -> None:
        try:
            async with asyncio.timeout(STALL_S_MAX):
                await self._socket.send_text(messages.encode(says))
        except TimeoutError:
            raise _Goodbye(messages.CLOSE_STALLED) from None

    async def _close(self, code: int) -> None:
        """Close with a reason, if the other side still takes it."""
        try:
            async with asyncio.timeout(FAREWELL_S_MAX):
                await self._socket.close(code)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            pass  # The server drops the connection when the handler ends.


INTERNAL = {
    "zh": "系统内部错误，请通知管理员",
    "en": "Internal error; tell the operator",
}


class _Goodbye(Exception):
    """The terminal has to go, with this close code."""

    def __init__(self, code: int) -> None:
        self.code = code


def _done(id: str, receipt: Receipt) -> Done:
    return Done(
        id=id,
        fact=receipt.entry.topic,
        ticket=getattr(receipt.entry.fact, "ticket", None),
        position=receipt.entry.position,
        repeated=receipt.repeated,
    )


def _refused(id: str, refusal: refusals.Refused) -> Refused:
    return Refused(
        id=id, refused=refusal.code, message=refusal.message, field=refusal.field
    )
