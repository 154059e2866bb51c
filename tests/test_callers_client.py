"""The window's end of the wire, without a screen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

import callers.client
import callers.server
from callers import messages
from callers.client import (
    BadAddress,
    Busy,
    Link,
    Offline,
    Refusal,
    Unanswered,
    WindowClient,
    address,
)
from callers.messages import Board
from conftest import ServeHall
from test_callers_server import NoClerks, take

SECONDS_MAX = 10.0


async def until(so: Callable[[], object]) -> None:
    """Wait until it is so; not for ever."""
    async with asyncio.timeout(SECONDS_MAX):
        while not so():  # noqa: ASYNC110 (What is waited for has no event.)
            await asyncio.sleep(0.01)


async def test_a_day_at_a_window(serve_hall: ServeHall) -> None:
    boards: list[Board] = []
    links: list[Link] = []
    async with serve_hall(callers.server.routes) as served:
        await take(served, "zonghe")
        async with WindowClient(
            served.url, "3", on_board=boards.append, on_link=links.append
        ) as client:
            assert client.link == "online"
            for command, words in (
                ("open", {"clerk": "c3"}),
                ("call", {}),
                ("recall", {"ticket": "A001"}),
                ("start", {}),
                ("finish", {"outcome": "not_done"}),
                ("invite", {}),
                ("close", {}),
            ):
                done = await client.say(command, **words)
                # The board is never behind the answer.
                assert client.board is not None
                assert client.board.position == done.position
        topics = [entry.topic for entry in served.floor.feed.after(2)]
    assert topics == [
        "WindowOpened",
        "TicketCalled",
        "TicketRecalled",
        "ServiceStarted",
        "ServiceFinished",
        "EvaluationInvited",
        "WindowClosed",
    ]
    assert links == ["online"]
    assert [board.position for board in boards] == list(range(2, 10))


async def test_a_refusal_is_the_halls_own_sentence(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        WindowClient(served.url, "3") as client,
    ):
        with pytest.raises(Refusal) as refused:
            await client.say("call")
        assert refused.value.code == "WindowNotOpen"
        assert refused.value.message["zh"] == "3号窗口还没有开窗"
        with pytest.raises(Refusal) as refused:
            await client.say("open", clerk="a b")
        assert refused.value.field == "clerk"


async def test_one_press_at_a_time(serve_hall: ServeHall) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        WindowClient(served.url, "3") as client,
    ):
        first = asyncio.create_task(client.say("open", clerk="c3"))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await client.say("pause")
        assert (await first).fact == "WindowOpened"
        assert served.floor.feed.day.places["3"].state == "free"


async def test_offline_nothing_is_kept_and_nothing_comes_later(
    serve_hall: ServeHall,
) -> None:
    links: list[Link] = []
    async with AsyncExitStack() as stack:
        async with serve_hall(callers.server.routes) as served:
            await take(served, "zonghe", 3)
            client = WindowClient(served.url, "3", on_link=links.append)
            await stack.enter_async_context(client)
            await client.say("open", clerk="c3")
            position = served.floor.feed.position
        await until(lambda: client.link == "offline")
        for _ in range(3):
            with pytest.raises(Offline):
                await client.say("call")
        port = int(served.url.rpartition(":")[2])
        async with serve_hall(callers.server.routes, port=port) as again:
            await until(lambda: client.link == "online")
            assert client.board is not None
            assert client.board.state == "free"  # Restored from the log.
            await asyncio.sleep(0.3)
            assert again.floor.feed.position == position
            assert (await client.say("call")).ticket == "A001"
            assert links == ["online", "offline", "online"]


async def test_who_starts_before_the_hall_gets_in_when_it_opens(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(callers.server.routes) as served:
        port = int(served.url.rpartition(":")[2])
    async with WindowClient(served.url, "3") as client:
        assert client.link == "offline"
        assert client.board is None
        async with serve_hall(callers.server.routes, port=port):
            await until(lambda: client.link == "online")


# ── A hall that behaves badly ───────────────────────────────────────────────

Hall = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def bad_hall(talk: Hall) -> AsyncIterator[str]:
    """Something that speaks our protocol up to the point that a test is about."""
    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def board(serve_hall: ServeHall) -> str:
    """A real board, as the wire carries it."""
    async with (
        serve_hall(callers.server.routes) as served,
        WindowClient(served.url, "3") as client,
    ):
        assert client.board is not None
        return messages.encode(client.board)


async def test_a_lost_answer_is_asked_for_once_more_under_the_same_id(
    board: str,
) -> None:
    heard: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        await socket.send(board)
        heard.append(str(await socket.recv()))
        if len(heard) == 1:
            socket.transport.abort()  # Done, perhaps; nobody will know.
            return
        id = messages.read_asked(heard[-1]).id
        done = messages.Done(
            id=id, fact="TicketCalled", ticket="A001", position=9, repeated=True
        )
        await socket.send(messages.encode(done))
        await socket.wait_closed()

    async with bad_hall(talk) as url, WindowClient(url, "3") as client:
        done = await client.say("call")
    assert (done.ticket, done.repeated) == ("A001", True)
    assert heard[0] == heard[1]


async def test_an_answer_lost_twice_is_not_asked_for_again(
    board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers.client, "ANSWER_S_MAX", 2.0)
    heard: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        await socket.send(board)
        async for text in socket:
            heard.append(str(text))
            socket.transport.abort()

    async with bad_hall(talk) as url, WindowClient(url, "3") as client:
        with pytest.raises(Unanswered):
            await client.say("call")
        await until(lambda: client.link == "online")
    assert len(heard) == 2
    assert heard[0] == heard[1]


async def test_no_answer_means_a_new_line_and_nothing_left_on_the_old_one(
    board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers.client, "ANSWER_S_MAX", 0.3)
    connections: list[ServerConnection] = []
    heard: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        connections.append(socket)
        await socket.send(board)
        async for text in socket:
            heard.append(str(text))

    async with bad_hall(talk) as url, WindowClient(url, "3") as client:
        with pytest.raises(Unanswered):
            await client.say("call")
        await until(lambda: len(connections) == 2 and client.link == "online")
        await connections[0].wait_closed()
    assert len(heard) == 1


async def test_an_answer_to_something_else_is_not_taken_for_ours(
    board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers.client, "ANSWER_S_MAX", 0.3)
    other = messages.Done(id="other", fact="TicketCalled", ticket="A9", position=9)
    nobody = messages.Refused(refused="BadInput", message={"zh": "", "en": ""})

    async def talk(socket: ServerConnection) -> None:
        await socket.send(board)
        async for _ in socket:
            await socket.send(messages.encode(other))
            await socket.send(messages.encode(nobody))

    async with bad_hall(talk) as url, WindowClient(url, "3") as client:
        with pytest.raises(Unanswered):
            await client.say("call")


@pytest.mark.parametrize(
    "said", ["", "{}", "[]", '{"say": "later"}', '{"say": "board"}', b"\xff\x00"]
)
async def test_a_hall_of_another_version_is_told_apart(said: str | bytes) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.send(said)
        await socket.wait_closed()

    async with bad_hall(talk) as url, WindowClient(url, "3") as client:
        assert client.link == "unreadable"
        with pytest.raises(Offline):
            await client.say("call")


async def test_a_hall_that_hangs_up_is_not_stormed() -> None:
    calls = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal calls
        calls += 1

    async with bad_hall(talk) as url, WindowClient(url, "3"):
        await asyncio.sleep(2)
    assert 3 <= calls <= 10


async def test_something_that_is_no_hall_is_offline(board: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with WindowClient(f"http://127.0.0.1:{port}", "3") as client:
            assert client.link == "offline"


# ── Who may, and where ──────────────────────────────────────────────────────


async def test_a_device_that_is_not_allowed_knows_why_and_gets_in_later(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(callers.server.routes) as served:
        gate, served.floor.gate = served.floor.gate, NoClerks()
        async with WindowClient(served.url, "3") as client:
            assert client.link == "not_allowed"
            with pytest.raises(Offline):
                await client.say("call")
            served.floor.gate = gate  # Paired in the meantime.
            await until(lambda: client.link == "online")


@pytest.mark.parametrize("window", ["99", "", "../../api", "3/", "窗 9?x#y"])
async def test_a_window_that_the_hall_does_not_have(
    serve_hall: ServeHall, window: str
) -> None:
    async with (
        serve_hall(callers.server.routes) as served,
        WindowClient(served.url, window) as client,
    ):
        assert client.link == "unknown_window"


@pytest.mark.parametrize(
    "url",
    ["", "10.0.0.5:8000", "ftp://hall", "http://", "http://h:0", "http://h:99999",
     "http://[::1", "http://h:x", "file:///etc/passwd"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(BadAddress) as bad:
        WindowClient(url, "3")
    assert url in bad.value.message["zh"]


def test_the_address_of_a_window() -> None:
    assert address("http://h:8000/", "3") == "ws://h:8000/ws/window/3"
    assert address("https://h/hall/", "3") == "wss://h/hall/ws/window/3"
    assert address("ws://[::1]:80", "a/b") == "ws://[::1]:80/ws/window/a%2Fb"
