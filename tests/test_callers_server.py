"""The hall's end of the clerks' terminals, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from string import ascii_uppercase
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import callers.server
from callers import messages
from callers.messages import WAITING_MAX, Board, Done, Refused
from conftest import Served, ServeHall
from floor import commands, refusals
from floor.catalogue import ITEMS_MAX, Catalogue, Item, Window, check
from floor.door import Right
from floor.hall import Receipt

SECONDS_MAX = 10.0


Words = dict[str, Any]


class Wire:
    """A terminal without a screen: says what it is told to, hears everything."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def hear(self) -> messages.HallSays:
        async with asyncio.timeout(SECONDS_MAX):
            return messages.decode(await self.socket.recv())

    async def answer(self) -> Done | Refused:
        """What is said next that is not a board."""
        while True:
            says = await self.hear()
            if not isinstance(says, Board):
                return says

    async def board(self, so: Callable[[Board], bool] = lambda _: True) -> Board:
        """The next board that is so."""
        while True:
            says = await self.hear()
            if isinstance(says, Board) and so(says):
                return says

    async def board_of(self, position: int) -> Board:
        """The board that shows the fact of this number."""
        return await self.board(lambda board: board.position == position)

    async def closed(self) -> int | None:
        """The code that the hall closed with; whatever it said before is lost."""
        with suppress(ConnectionClosed):
            while True:
                await self.hear()
        return self.socket.close_code

    async def say(self, text: str | bytes) -> Done | Refused:
        await self.socket.send(text)
        return await self.answer()

    async def press(self, command: str, id: str = "", **words: Any) -> Done | Refused:
        words = {"id": id or str(uuid4()), "command": command} | words
        return await self.say(json.dumps(words))


@asynccontextmanager
async def terminal(served: Served, window: str) -> AsyncIterator[Wire]:
    address = f"{served.ws_url}/ws/window/{window}"
    async with connect(address, compression=None, max_size=None) as connection:
        yield Wire(connection)


async def post(served: Served, path: str, **words: Any) -> dict[str, Any]:
    """Press at the other door; what it answered, refusals too."""
    async with httpx.AsyncClient(base_url=served.url) as http:
        answer = await http.post(f"/api/{path}", json=words)
    return dict(answer.json())


async def take(served: Served, item: str, count: int = 1) -> None:
    async with httpx.AsyncClient(base_url=served.url) as http:
        for _ in range(count):
            taken = await http.post("/api/tickets", json={"item": item})
            assert taken.status_code == 201


async def test_who_joins_sees_the_board_at_once(serve_hall: ServeHall) -> None:
    at = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    async with serve_hall(callers.server.routes, clock=lambda: at) as served:
        await take(served, "zonghe", 25)
        async with terminal(served, "3") as wire:
            board = await wire.board()
    assert (board.window, board.name, board.state) == ("3", "综合窗口", "closed")
    assert board.hall == "青禾县政务服务中心"
    assert board.now == at
    assert board.position == 26  # The catalogue, and 25 tickets.
    assert [line.waiting for line in board.lines] == [25, 0]
    assert len(board.waiting) == WAITING_MAX
    assert board.waiting[0].ticket == "A001"
    assert board.waiting[0].taken_at == at
    assert board.in_hand is None


# Each row: the command, its words, the fact, and the window's state after it.
DAY: tuple[tuple[str, Words, str, str], ...] = (
    ("open", {"clerk": "c3"}, "WindowOpened", "free"),
    ("pause", {"reason": "就餐"}, "WindowPaused", "paused"),
    ("resume", {}, "WindowResumed", "free"),
    ("call", {}, "TicketCalled", "called"),
    ("recall", {}, "TicketRecalled", "called"),
    ("start", {}, "ServiceStarted", "serving"),
    ("finish", {}, "ServiceFinished", "free"),
    ("invite", {}, "EvaluationInvited", "free"),
    ("call-ticket", {"ticket": "A002", "reason": "急件"}, "TicketCalled", "called"),
    ("no-show", {"ticket": "A002"}, "NoShowDeclared", "free"),
    ("close", {}, "WindowClosed", "closed"),
)


async def test_what_a_terminal_presses_the_other_door_sees(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(callers.server.routes) as served:
        await take(served, "zonghe", 2)
        async with terminal(served, "3") as wire:
            for command, words, fact, state in DAY:
                done = await wire.press(command, **words)
                assert isinstance(done, Done), done
                assert done.fact == fact
                async with httpx.AsyncClient(base_url=served.url) as http:
                    hall = (await http.get("/api/hall")).json()
                assert hall["windows"][2]["state"] == state
                assert hall["position"] == done.position


async def test_what_the_other_door_presses_every_terminal_sees(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(callers.server.routes) as served:
        await take(served, "zonghe", 2)
        async with terminal(served, "3") as wire, terminal(served, "1") as other:
            for command, words, fact, state in DAY:
                done = await post(served, f"windows/3/{command}", **words)
                assert done["fact"] == fact
                board = await wire.board_of(done["position"])
                assert board.state == state
            # Window 1 shares the line, so it has seen it grow shorter.
            seen = await other.board(lambda board: not board.waiting)
            assert [line.waiting for line in seen.lines] == [0, 0]
    assert board.clerk == ""


async def test_both_doors_refuse_with_the_same_sentence(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
    ):
        for command, words, _, _ in DAY[1:]:
            here = await wire.press(command, **words)
            there = await post(served, f"windows/3/{command}", **words)
            assert isinstance(here, Refused)
            assert here.refused == there["refused"]
            assert here.message == there["message"]
        assert await wire.press("open", clerk="c3")
        here = await wire.press("call")
        assert isinstance(here, Refused)
        assert here.message["zh"] == "3号窗口没有人等候"


async def test_a_board_comes_before_the_answer_that_caused_it(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(callers.server.routes) as served:
        await take(served, "zonghe", 3)
        async with terminal(served, "3") as wire:
            seen = await wire.board()
            for command, words, _, _ in DAY:
                await wire.socket.send(messages.ask(str(uuid4()), command, {**words}))
                while isinstance(says := await wire.hear(), Board):
                    seen = says
                assert isinstance(says, Done)
                assert seen.position == says.position


async def test_the_board_tells_of_the_ticket_in_hand_and_the_last_one(
    serve_hall: ServeHall,
) -> None:
    now = [datetime(2026, 11, 23, 1, 0, tzinfo=UTC)]
    async with serve_hall(callers.server.routes, clock=lambda: now[0]) as served:
        await post(served, "tickets", item="xuke", kind="care")
        async with terminal(served, "3") as wire:
            await wire.press("open", clerk="c3")
            now[0] += timedelta(seconds=30)
            await wire.press("call")
            now[0] += timedelta(seconds=30)
            await wire.socket.send(messages.ask(str(uuid4()), "recall", {}))
            held = (await wire.board()).in_hand
            assert held is not None
            assert (held.ticket, held.name, held.kind) == ("J001", "经营许可", "care")
            assert (held.times, held.service_s) == (2, 1500)
            assert held.called_at == now[0] - timedelta(seconds=30)
            assert held.started_at is None
            await wire.press("start")
            await wire.press("finish")
            await wire.press("invite")
            rated = await post(
                served, "tickets/J001/evaluation", level="very_dissatisfied"
            )
            board = await wire.board_of(rated["position"])
    assert board.last == messages.Last(ticket="J001", invited=True, rated=True)
    assert "dissatisfied" not in messages.encode(board)  # A rating is secret.


async def test_windows_hear_only_of_what_concerns_them(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "4") as wire,
    ):
        await wire.board()
        await take(served, "zonghe", 3)
        await post(served, "windows/3/open", clerk="c3")
        await take(served, "budongchan")
        board = await wire.board()
    assert board.position == 6
    assert [waiting.ticket for waiting in board.waiting] == ["B001"]


async def test_a_rush_of_facts_becomes_few_boards(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
    ):
        takes = (commands.TakeTicket(item="zonghe") for _ in range(200))
        await asyncio.gather(*(served.floor.do(take) for take in takes))
        boards = 1
        while (await wire.board()).position < 201:
            boards += 1
    assert boards < 50


async def test_closing_the_hall_reaches_every_terminal(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
    ):
        await wire.press("open", clerk="c3")
        await post(served, "hall/close")
        board = await wire.board(lambda board: board.closed)
        assert board.state == "closed"
        refused = await wire.press("open", clerk="c3")
    assert isinstance(refused, Refused)
    assert refused.refused == "HallIsClosed"


async def test_a_new_business_day_shows_an_empty_hall(serve_hall: ServeHall) -> None:
    now = [datetime(2026, 11, 23, 1, 0, tzinfo=UTC)]
    async with serve_hall(callers.server.routes, clock=lambda: now[0]) as served:
        await take(served, "zonghe", 2)
        async with terminal(served, "3") as wire:
            await wire.board()
            now[0] += timedelta(days=1)
            served.floor.feed.turn_day(now[0])
            board = await wire.board(lambda board: not board.waiting)
    assert board.position == 3


# ── A press counts once ─────────────────────────────────────────────────────


async def test_a_repeated_id_has_one_effect_even_over_another_connection(
    serve_hall: ServeHall,
) -> None:
    id = str(uuid4())
    async with serve_hall(callers.server.routes) as served:
        await take(served, "zonghe", 3)
        async with terminal(served, "3") as wire:
            await wire.press("open", clerk="c3")
            first = await wire.press("call", id)
        async with terminal(served, "3") as wire:
            again = await wire.press("call", id)
            reused = await wire.press("recall", id)
        elsewhere = await post(served, "windows/3/call", command_id=id)
        assert served.floor.feed.position == 6
    assert isinstance(first, Done)
    assert again == msgspec.structs.replace(first, repeated=True)
    assert elsewhere["repeated"] is True
    assert isinstance(reused, Refused)
    assert reused.refused == "CommandIdReused"


async def test_presses_of_one_terminal_are_answered_in_their_order(
    serve_hall: ServeHall,
) -> None:
    ids = [str(uuid4()) for _ in range(40)]
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
    ):
        for number, id in enumerate(ids):
            word = "recall" if number else "open"
            words = {} if number else {"clerk": "c3"}
            await wire.socket.send(messages.ask(id, word, words))
        answers = [await wire.answer() for _ in ids]
    assert [answer.id for answer in answers] == ids


# ── Hostile input ───────────────────────────────────────────────────────────

ID = "00000000-0000-4000-8000-000000000000"
LONG = "x" * 9_000


@pytest.mark.parametrize(
    ("said", "refused", "field"),
    [
        ("", "BadInput", "body"),
        ("{", "BadInput", "body"),
        ("你好", "BadInput", "body"),
        ("[]", "BadInput", "body"),
        ('"call"', "BadInput", "body"),
        ("null", "BadInput", "body"),
        ("[" * 8_000, "BadInput", "body"),
        ('{"id":' * 2_000, "BadInput", "body"),
        (b"\x00\xff", "BadInput", "body"),
        (b'{"id": "ID", "command": "call"}', "BadInput", "body"),
        ("{}", "BadInput", "id"),
        ('{"id": 7, "command": "call"}', "BadInput", "id"),
        ('{"id": "7", "command": "call"}', "BadInput", "id"),
        ('{"id": ["ID"], "command": "call"}', "BadInput", "id"),
        ('{"id": "ID"}', "BadInput", "command"),
        ('{"id": "ID", "command": 7}', "BadInput", "command"),
        ('{"id": "ID", "command": {"call": {}}}', "BadInput", "command"),
        ('{"id": "ID", "command": "Call"}', "UnknownCommand", "command"),
        ('{"id": "ID", "command": "take"}', "UnknownCommand", "command"),
        ('{"id": "ID", "command": "close-hall"}', "UnknownCommand", "command"),
        ('{"id": "ID", "command": "LONG"}', "UnknownCommand", "command"),
        ('{"id": "ID", "command": "open"}', "BadInput", "clerk"),
        ('{"id": "ID", "command": "open", "clerk": 7}', "BadInput", "clerk"),
        ('{"id": "ID", "command": "open", "clerk": "a b"}', "BadInput", "clerk"),
        ('{"id": "ID", "command": "open", "clerk": ""}', "BadInput", "clerk"),
        ('{"id": "ID", "command": "open", "clerk": "LONG"}', "BadInput", "clerk"),
        ('{"id": "ID", "command": "open", "clerk": [[{}]]}', "BadInput", "clerk"),
        ('{"id": "ID", "command": "start", "ticket": "A1;"}', "BadInput", "ticket"),
        ('{"id": "ID", "command": "finish", "outcome": "x"}', "BadInput", "outcome"),
    ],
)
async def test_hostile_input_gets_a_sentence_and_changes_nothing(
    serve_hall: ServeHall, said: str | bytes, refused: str, field: str
) -> None:
    async with serve_hall(callers.server.routes) as served:
        position = served.floor.feed.position
        async with terminal(served, "3") as wire:
            if isinstance(said, str):
                said = said.replace("ID", ID).replace("LONG", LONG)
            answer = await wire.say(said)
            assert isinstance(answer, Refused)
            assert (answer.refused, answer.field) == (refused, field)
            assert answer.message["zh"]
            assert answer.message["en"]
            assert len(messages.encode(answer)) < 500
            assert served.floor.feed.position == position
            # The connection stays, and the clerk goes on with the day.
            assert isinstance(await wire.press("open", clerk="c3"), Done)


async def test_a_message_cannot_name_another_window_or_command_id(
    serve_hall: ServeHall,
) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
    ):
        await wire.press("open", ID, clerk="c3", window="4", command_id="mine")
        day = served.floor.feed.day
        assert day.places["3"].state == "free"
        assert day.places["4"].state == "closed"
        assert ID in day.done
        assert "mine" not in day.done


async def test_a_huge_message_closes_that_terminal_alone(
    serve_hall: ServeHall,
) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
        terminal(served, "4") as other,
    ):
        await wire.socket.send(messages.ask(ID, "open", {"clerk": 2 * LONG}))
        assert await wire.closed() == 1009
        assert isinstance(await other.press("open", clerk="c4"), Done)


async def test_who_sends_nothing_but_garbage_is_sent_away(
    serve_hall: ServeHall,
) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
    ):
        for _ in range(callers.server.BAD_MESSAGES_MAX + 1):
            assert isinstance(await wire.say("?"), Refused)
        assert await wire.closed() == messages.CLOSE_BAD_MESSAGES


@pytest.mark.parametrize("window", ["99", "x" * 200, "%E7%AA%97", "3%00", "%20"])
async def test_an_unknown_window_is_told_so(serve_hall: ServeHall, window: str) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, window) as wire,
    ):
        refused = await wire.answer()
        assert await wire.closed() == messages.CLOSE_UNKNOWN_WINDOW
    assert isinstance(refused, Refused)
    assert (refused.id, refused.refused) == ("", "UnknownWindow")
    assert len(refused.message["zh"]) < 60


class NoClerks:
    """A gate that lets visitors in and no clerk."""

    def admit(self, connection: HTTPConnection, right: Right) -> None:
        if right is Right.CALL:
            raise refusals.NotAllowed(why_zh="设备未授权", why="not paired")


async def test_a_device_without_the_right_does_not_get_in(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(callers.server.routes) as served:
        served.floor.gate = NoClerks()
        with pytest.raises(InvalidStatus) as refused:
            async with terminal(served, "3"):
                pass
    assert refused.value.response.status_code == 403


async def test_a_bug_behind_a_press_is_answered_and_the_terminal_lives_on(
    serve_hall: ServeHall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(command: object) -> Receipt:
        raise ZeroDivisionError

    async with (
        serve_hall(callers.server.routes) as served,
        terminal(served, "3") as wire,
    ):
        with monkeypatch.context() as patch:
            patch.setattr(served.floor, "do", broken)
            answer = await wire.press("open", ID, clerk="c3")
        assert isinstance(answer, Refused)
        assert (answer.id, answer.refused) == (ID, "Internal")
        assert isinstance(await wire.press("open", ID, clerk="c3"), Done)


def vast_catalogue() -> Catalogue:
    """A hall whose windows handle as many items as there may be."""
    prefixes = ("".join(letters) for letters in product(ascii_uppercase, repeat=3))
    items = tuple(
        Item(id=f"{prefix:_>40}", name="事" * 60, name_en="x" * 60, prefix=prefix)
        for prefix in islice(prefixes, ITEMS_MAX)
    )
    windows = tuple(
        Window(
            id=id,
            name="综合窗口",
            name_en="General",
            department="局",
            items=tuple(item.id for item in items),
        )
        for id in ("3", "4")
    )
    vast = Catalogue(
        hall="h", name="大厅", name_en="Hall", items=items, windows=windows
    )
    check(vast)
    return vast


async def test_the_board_of_the_vastest_window_still_fits(
    serve_hall: ServeHall,
) -> None:
    vast = vast_catalogue()
    async with (
        serve_hall(callers.server.routes, catalogue=vast) as served,
        terminal(served, "3") as wire,
    ):
        board = await wire.board()
    assert len(board.lines) == ITEMS_MAX
    assert len(messages.encode(board)) < messages.BOARD_BYTES_MAX


async def test_a_terminal_that_stops_reading_is_cut_off_and_delays_nobody(
    serve_hall: ServeHall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers.server, "STALL_S_MAX", 0.3)
    monkeypatch.setattr(callers.server, "FAREWELL_S_MAX", 60.0)
    vast = vast_catalogue()
    async with (
        serve_hall(callers.server.routes, catalogue=vast) as served,
        terminal(served, "3") as wire,
    ):
        wire.socket.transport.pause_reading()
        for _ in range(40):  # A board is 0.7 MB here; some fill the line.
            await post(served, "tickets", item=vast.items[0].id)
            await asyncio.sleep(callers.server.BOARD_GAP_S)
        async with terminal(served, "4") as other:
            assert isinstance(await other.press("open", clerk="c4"), Done)
            wire.socket.transport.resume_reading()
            assert await wire.closed() == messages.CLOSE_STALLED
            assert isinstance(await other.press("pause"), Done)
