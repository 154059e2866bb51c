"""A follower keeps up with a hall that comes and goes, and tells nothing twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

import msgspec
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

import displays.server
from conftest import ServeHall
from displays import follower, frames
from displays.follower import Lost, Shown, follow
from displays.frames import ChangeFrame, Frame, Snapshot
from floor import commands, facts
from floor.day import advance
from timeline import FloorDay

DAY = """
09:00:00 opens 3 c3
09:01:00 takes zonghe
09:02:00 calls 3
09:03:00 starts 3
09:04:00 finishes 3
"""

Script = list[str | bytes]


def told(floor: FloorDay) -> list[Frame]:
    """A snapshot of the empty hall and a frame for each fact after it."""
    day = advance(None, floor.entries[0])
    shown: list[Frame] = [frames.snapshot(day, 1)]
    for entry in floor.entries[1:]:
        day = advance(day, entry)
        frame = frames.frame(day, entry)
        if frame:
            shown.append(frame)
    return shown


class SmallHall:
    """A websockets server that says what a script says, then hangs up or holds on."""

    def __init__(self, scripts: list[Script], hold: bool = True) -> None:
        self.scripts = scripts
        self.hold = hold
        self.joined: list[str] = []
        self.left = 0
        self.refuse = False
        self.asked_at: list[float] = []

    async def talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.joined.append(socket.request.path)
        nth = min(len(self.joined), len(self.scripts)) - 1
        for text in self.scripts[nth]:
            await socket.send(text)
        if self.hold and nth == len(self.scripts) - 1:
            await socket.wait_closed()
        else:
            socket.transport.abort()
        self.left += 1

    def gate(self, socket: ServerConnection, request: Request) -> Response | None:
        self.asked_at.append(time.monotonic())
        return socket.respond(HTTPStatus.FORBIDDEN, "no") if self.refuse else None


@asynccontextmanager
async def serving(hall: SmallHall, port: int = 0) -> AsyncIterator[str]:
    server: Server
    async with serve(
        hall.talk, "127.0.0.1", port, process_request=hall.gate, close_timeout=0.2
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}"


async def hear(url: str, count: int, wait_s: float = 8) -> list[Shown | Lost]:
    heard: list[Shown | Lost] = []
    async with asyncio.timeout(wait_s), aclosing(follow(url, "test")) as following:
        async for frame in following:
            heard.append(frame)
            if len(heard) == count:
                break
    return heard


def positions(heard: list[Shown | Lost]) -> list[int]:
    return [-1 if isinstance(frame, Lost) else frame.position for frame in heard]


async def test_a_snapshot_first_then_each_frame() -> None:
    all_told = told(FloorDay().play(DAY))
    hall = SmallHall([[frames.encode(frame) for frame in all_told]])
    async with serving(hall) as url:
        assert await hear(url, len(all_told)) == all_told
    assert hall.joined == ["/ws/screen/test"]


async def test_heartbeats_repeats_and_unknown_frames_are_skipped() -> None:
    snapshot, *rest = told(FloorDay().play(DAY))
    opened, taken, called, started = (frames.encode(frame) for frame in rest[:4])
    beat = '{"frame":"beat","position":99}'
    weather = '{"frame":"weather","sun":true}'
    told_twice = [beat, opened, taken, called, taken, weather, called, beat, started]
    hall = SmallHall([[frames.encode(snapshot), *told_twice]])
    async with serving(hall) as url:
        assert await hear(url, 5) == [snapshot, *rest[:4]]


async def test_a_lost_signal_is_told_once_and_a_snapshot_follows() -> None:
    day = FloorDay().play(DAY)
    snapshot, _, taken, *_ = told(day)
    later = frames.snapshot(day.day, day.entries[-1].position)
    hall = SmallHall(
        [
            [frames.encode(snapshot), frames.encode(taken)],
            [],
            [],
            [frames.encode(later), frames.encode(taken)],
        ]
    )
    async with serving(hall) as url:
        heard = await hear(url, 4)
    assert [type(frame).__name__ for frame in heard] == [
        "Snapshot",
        "ChangeFrame",
        "Lost",
        "Snapshot",
    ]
    assert heard[3] == later
    assert len(hall.joined) == 4


async def test_a_snapshot_replaces_all_even_from_an_earlier_position() -> None:
    """A new day begins without a fact; a restored backup begins further back."""
    day = FloorDay().play(DAY)
    later = frames.snapshot(day.day, 50)
    empty, opened, *_ = told(day)
    hall = SmallHall([[frames.encode(f) for f in (later, later, empty, opened)]])
    async with serving(hall) as url:
        assert positions(await hear(url, 4)) == [50, 50, 1, 2]


async def test_a_device_that_is_not_paired_is_told_so_and_let_in_later() -> None:
    snapshot = told(FloorDay())[0]
    hall = SmallHall([[frames.encode(snapshot)]])
    hall.refuse = True
    async with serving(hall) as url, aclosing(follow(url, "test")) as following:
        first = await anext(following)
        assert isinstance(first, Lost)
        assert first.not_paired
        assert "设备未授权" in first.why
        hall.refuse = False
        async with asyncio.timeout(8):
            assert await anext(following) == snapshot
    assert len(hall.asked_at) >= 2


async def test_a_hall_that_is_not_there_yet_is_waited_for() -> None:
    snapshot = told(FloorDay())[0]
    hall = SmallHall([[frames.encode(snapshot)]])
    async with serving(hall) as url:
        pass
    port = int(url.rpartition(":")[2])
    async with aclosing(follow(url, "test")) as following:
        lost = await anext(following)
        assert isinstance(lost, Lost)
        assert not lost.not_paired
        async with asyncio.timeout(8), serving(hall, port):
            assert await anext(following) == snapshot


async def test_retries_slow_down() -> None:
    hall = SmallHall([[]])
    hall.refuse = True
    async with serving(hall) as url:
        with pytest.raises(TimeoutError):
            await hear(url, 2, wait_s=2.5)
    assert 3 <= len(hall.asked_at) <= 7
    gaps = [b - a for a, b in zip(hall.asked_at, hall.asked_at[1:], strict=False)]
    assert gaps[0] < 0.4
    assert gaps[2] > gaps[0]


@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        "[]",
        '{"frame":"call","position":9}',
        '{"frame":7}',
        b"\xff\xfe",
        "[" * 50_000,
        '{"frame":"beat","pad":"' + "x" * follower.FRAME_BYTES_MAX + '"}',
    ],
    ids=["text", "list", "fields", "tag", "bytes", "nested", "huge"],
)
async def test_what_is_no_frame_is_healed_by_a_new_snapshot(bad: str | bytes) -> None:
    snapshot = told(FloorDay())[0]
    text = frames.encode(snapshot)
    hall = SmallHall([[text, bad], [text]])
    async with serving(hall) as url:
        heard = await hear(url, 3)
    assert [type(frame).__name__ for frame in heard] == ["Snapshot", "Lost", "Snapshot"]


async def test_a_hall_that_does_not_begin_with_a_snapshot_is_left() -> None:
    taken = told(FloorDay().play(DAY))[2]
    assert isinstance(taken, ChangeFrame)
    hall = SmallHall([[frames.encode(taken)]])
    async with serving(hall) as url:
        (lost,) = await hear(url, 1)
    assert isinstance(lost, Lost)
    assert "snapshot" in lost.why


async def test_a_hall_that_says_nothing_has_hung(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "ANSWER_S_MAX", 0.3)
    snapshot = told(FloorDay())[0]
    hall = SmallHall([[]])
    async with serving(hall) as url, aclosing(follow(url, "test")) as following:
        assert isinstance(await anext(following), Lost)
        hall.scripts = [[frames.encode(snapshot)]]
        async with asyncio.timeout(8):
            assert await anext(following) == snapshot


async def test_a_cancelled_follower_hangs_up() -> None:
    hall = SmallHall([[frames.encode(told(FloorDay())[0])]])
    async with serving(hall) as url:
        following = asyncio.create_task(hear(url, 99))
        await until(lambda: bool(hall.joined))
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        await until(lambda: hall.left == 1)


@pytest.mark.parametrize("url", ["", "hall", "ftp://x", "http://", "127.0.0.1:8000"])
async def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="不是大厅地址"):
        await hear(url, 1)


def test_addresses() -> None:
    assert follower.screen_address("https://hall:1/a/", "东 厅") == (
        "wss://hall:1/a/ws/screen/%E4%B8%9C%20%E5%8E%85"
    )


async def test_through_a_real_hall_that_restarts(serve_hall: ServeHall) -> None:
    seen: list[Shown | Lost] = []

    async def keep(url: str) -> None:
        async with aclosing(follow(url, "test")) as following:
            async for frame in following:
                seen.append(frame)

    async with serve_hall(displays.server.routes) as served:
        following = asyncio.create_task(keep(served.url))
        await until(lambda: bool(seen))
        await served.floor.do(commands.OpenWindow(window="3", clerk="c3"))
        await served.floor.do(commands.TakeTicket(item="zonghe"))
        await until(lambda: positions(seen)[-1] == 3)
        port = int(served.url.rpartition(":")[2])
    await until(lambda: isinstance(seen[-1], Lost))
    async with serve_hall(displays.server.routes, port=port) as served:
        await until(lambda: isinstance(seen[-1], Snapshot))
        called = await served.floor.do(commands.CallNext(window="3"))
        assert isinstance(called.entry.fact, facts.TicketCalled)
        await until(lambda: positions(seen)[-1] == 4)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert positions(seen)[:6] == [1, 2, 3, -1, 3, 4]
    assert msgspec.to_builtins(seen[5])["frame"] == "call"


async def until(true: Callable[[], bool], wait_s: float = 10) -> None:
    async with asyncio.timeout(wait_s):
        while not true():  # noqa: ASYNC110 - what is waited for may be anything.
            await asyncio.sleep(0.01)
