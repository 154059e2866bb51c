"""Following the log: past, then new, without gap or repeat, whoever else stalls."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from floor import commands, follow
from floor.catalogue import load
from floor.commands import TakeTicket
from floor.day import Day
from floor.facts import Entry
from floor.follow import Feed, Follower, Stalled, opened
from floor.hall import Draft, Hall
from floor.log import Log, LogInUse, LogUnreadable
from timeline import SAMPLE, FloorDay

CATALOGUE = load(SAMPLE)
NINE = FloorDay().at("09:00:00")
TAKE = TakeTicket(item="zonghe")


@asynccontextmanager
async def hall_at(path: Path) -> AsyncIterator[tuple[Hall, Feed]]:
    async with opened(path, CATALOGUE, NINE) as (hall, feed):
        yield hall, feed


def prepared(path: Path, takes: int) -> None:
    """A log with so many tickets, written in one go."""
    with Log(path) as held:
        draft = Draft(held, CATALOGUE)
        draft.open(NINE)
        for _ in range(takes):
            draft.decide(TAKE, NINE)
        draft.commit()


async def heard(follower: Follower, until: int) -> list[int]:
    """The positions that a follower sees up to one of them."""
    seen: list[int] = []
    async for entry in follower:
        seen.append(entry.position)
        if entry.position >= until:
            break
    follower.close()
    return seen


async def heard_until_cut(follower: Follower) -> list[int]:
    """The positions that a follower sees before it is told that it has stalled."""
    seen: list[int] = []
    try:
        async for entry in follower:
            seen.append(entry.position)
    except Stalled:
        return seen
    raise AssertionError("The follower was not cut off.")


# ── Without gap or repeat ───────────────────────────────────────────────────


async def test_past_then_new_while_facts_are_being_written(tmp_path: Path) -> None:
    """Followers come at any moment and from any position, into a busy hall."""
    async with hall_at(tmp_path / "events.db") as (hall, feed):
        total = 401

        async def busy() -> None:
            for _ in range(100):
                await asyncio.gather(*(hall.do(TAKE, NINE) for _ in range(4)))

        async def follower(n: int) -> None:
            await asyncio.sleep(n * 0.002)
            since = feed.position * (n % 3) // 2
            seen = await heard(feed.follow(since), total)
            assert seen == list(range(since + 1, total + 1))

        await asyncio.gather(busy(), *(follower(n) for n in range(30)))
        assert feed.position == total


async def test_what_lies_before_memory_comes_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "RING_MAX", 50)
    async with hall_at(tmp_path / "events.db") as (hall, feed):
        await asyncio.gather(*(hall.do(TAKE, NINE) for _ in range(300)))
        for since in (0, 1, 249, 250, 251, 252, 300, 301):
            follower = feed.follow(since)
            later = asyncio.create_task(hall.do(TAKE, NINE))
            until = feed.position + 1
            seen = await heard(follower, until)
            assert seen == list(range(since + 1, until + 1))
            await later
        assert isinstance(feed.after(feed.position - 50), list)
        assert not isinstance(feed.after(feed.position - 51), list)


async def test_a_restart_in_the_middle_of_a_day_keeps_the_positions(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.db"
    yesterday = FloorDay().at("09:00:00") - timedelta(days=1)
    with Log(path) as held:
        draft = Draft(held, CATALOGUE)
        draft.open(yesterday)
        for _ in range(5):
            draft.decide(TAKE, yesterday)
        draft.decide(TAKE, NINE)
        draft.commit()
    async with hall_at(path) as (hall, feed):
        assert feed.position == 9  # Yesterday was closed and sealed.
        assert list(feed.day.tickets) == ["A001"]
        assert feed.day.digest() == hall._draft.day.digest()
        for since in range(9):
            later = asyncio.create_task(hall.do(TAKE, NINE))
            until = feed.position + 1
            assert await heard(feed.follow(since), until) == list(
                range(since + 1, until + 1)
            )
            await later


async def test_the_log_of_another_hall_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    other = msgspec.structs.replace(CATALOGUE, hall="hall-2")
    with Log(path) as held:
        for catalogue in (other, CATALOGUE):
            draft = Draft(held, catalogue)
            draft.open(NINE)
            draft.decide(TAKE, NINE)
            draft.commit()
    async with hall_at(path) as (hall, feed):
        assert feed.position == 2
        feed._ring.clear()
        follower = feed.follow(0)
        await hall.do(TAKE, NINE)
        streams = [(await anext(follower)).stream for _ in range(3)]
        assert {stream.partition("/")[0] for stream in streams} == {"hall-1"}


async def test_a_follower_cancelled_at_any_await_loses_nothing(tmp_path: Path) -> None:
    """`wait_for` around the next fact is a cancel at an arbitrary moment."""
    prepared(tmp_path / "events.db", 600)
    async with hall_at(tmp_path / "events.db") as (hall, feed):
        follower = feed.follow(0)
        seen: list[int] = []
        while len(seen) < 601:
            with suppress(TimeoutError):
                entry = await asyncio.wait_for(anext(follower), 0)
                seen.append(entry.position)
            with suppress(TimeoutError):
                entry = await asyncio.wait_for(anext(follower), 0.01)
                seen.append(entry.position)
        assert seen == list(range(1, 602))
        waiting = asyncio.create_task(anext(follower))
        await asyncio.sleep(0)
        waiting.cancel()
        await hall.do(TAKE, NINE)
        assert (await anext(follower)).position == 602


# ── Stalled ─────────────────────────────────────────────────────────────────


async def test_a_stalled_follower_is_cut_and_nobody_else_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "QUEUE_MAX", 10)
    async with hall_at(tmp_path / "events.db") as (hall, feed):
        stalled = feed.follow(0)
        assert (await anext(stalled)).position == 1
        awake = feed.follow(0)
        reading = asyncio.create_task(heard(awake, 61))
        for _ in range(60):
            await hall.do(TAKE, NINE)
        assert await asyncio.wait_for(reading, 5) == list(range(1, 62))
        assert stalled not in feed._followers
        seen = [1, *await heard_until_cut(stalled)]
        assert seen == list(range(1, 12)), "What it had before it was cut is in order."
        with pytest.raises(Stalled):
            await anext(stalled)
        # It comes back from its position and sees everything, each once.
        seen += await heard(feed.follow(stalled.position), 61)
        assert seen == list(range(1, 62))
        assert not feed._followers


async def test_a_follower_stalled_before_its_first_read_still_gets_a_clear_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "QUEUE_MAX", 10)
    async with hall_at(tmp_path / "events.db") as (hall, feed):
        follower = feed.follow(0)
        for _ in range(30):
            await hall.do(TAKE, NINE)
        assert await heard_until_cut(follower) == list(range(1, 32))


async def test_a_follower_that_left_is_forgotten(tmp_path: Path) -> None:
    async with hall_at(tmp_path / "events.db") as (_, feed):
        followers = [feed.follow(0) for _ in range(5)]
        assert len(feed._followers) == 5
        for follower in followers:
            follower.close()
            follower.close()
        assert not feed._followers


async def test_a_follower_far_behind_does_not_hold_up_the_hall(tmp_path: Path) -> None:
    """A whole log is read again while a clerk presses: the clerk hardly waits."""
    path = tmp_path / "events.db"
    prepared(path, 30_000)
    async with hall_at(path) as (hall, feed):
        feed._ring.clear()  # As after a restart on a later day: all from the disk.

        async def catch_up() -> int:
            count = 0
            follower = feed.follow(0)
            async for entry in follower:
                count += 1
                if entry.position >= 30_001:
                    break
            follower.close()
            return count

        catching_up = asyncio.create_task(catch_up())
        pressed = 0
        longest = 0.0
        while not catching_up.done():
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)
            pressed += 1
        assert await catching_up == 30_001
        assert pressed >= 30, "The loop went round while the follower read."
        assert longest < 0.25
        await hall.do(TAKE, NINE)


# ── The day that readers see ────────────────────────────────────────────────


async def test_watchers_are_told_of_each_fact_and_of_each_new_day(
    tmp_path: Path,
) -> None:
    told: list[tuple[str, int, str]] = []

    def watch(day: Day, entry: Entry | None) -> None:
        topic = entry.topic if entry else "-"
        told.append((day.stream[-2:], day.position, topic))

    async with hall_at(tmp_path / "events.db") as (hall, feed):
        feed.watch(watch)
        await hall.do(TAKE, NINE)
        midnight = NINE.replace(hour=16)
        feed.turn_day(midnight - timedelta(milliseconds=1))
        assert list(feed.day.tickets) == ["A001"]
        await hall.turn_day(midnight)
        feed.turn_day(midnight)
        feed.turn_day(midnight + timedelta(hours=1))
        assert feed.day.tickets == {}
        assert (feed.day.position, feed.position) == (0, 4)
        await hall.do(TAKE, midnight + timedelta(hours=9))
        assert list(feed.day.tickets) == ["A001"]
        assert feed.day.version == 1
    assert told == [
        ("23", 2, "TicketTaken"),
        ("23", 3, "HallClosed"),
        ("23", 4, "DaySealed"),
        ("24", 0, "-"),
        ("24", 5, "TicketTaken"),
    ]


async def test_facts_told_again_are_known_already(tmp_path: Path) -> None:
    """The hall tells again what it is not sure to have told."""
    async with hall_at(tmp_path / "events.db") as (hall, feed):
        follower = feed.follow(0)
        receipts = [await hall.do(TAKE, NINE) for _ in range(3)]
        before = feed.day.digest()
        feed.publish([receipt.entry for receipt in receipts])
        assert feed.day.digest() == before
        await hall.do(TAKE, NINE)
        assert await heard(follower, 5) == [1, 2, 3, 4, 5]


async def test_a_day_turned_for_readers_is_the_day_that_a_replay_gives(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.db"
    async with hall_at(path) as (hall, feed):
        await hall.do(TAKE, NINE)
        morning = NINE + timedelta(days=1)
        await hall.turn_day(morning)
        feed.turn_day(morning)
        await hall.do(TAKE, morning)
        await hall.do(commands.OpenWindow(window="1", clerk="c1"), morning)
        live = feed.day.digest()
    async with opened(path, CATALOGUE, morning) as (_, feed):
        assert feed.day.digest() == live


async def test_a_hall_opens_on_no_file_that_is_not_its_log(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"garbage" * 1_000)
    with pytest.raises(LogUnreadable, match=r"events\.db"):
        async with hall_at(path):
            pass
    path.unlink()
    async with hall_at(path):
        with pytest.raises(LogInUse):
            async with hall_at(path):
                pass
    async with hall_at(path) as (_, feed):
        assert feed.position == 1


async def test_memory_holds_no_more_than_the_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "RING_MAX", 20)
    async with hall_at(tmp_path / "events.db") as (hall, feed):
        for _ in range(100):
            await hall.do(TAKE, NINE)
        assert len(feed._ring) == 20
        assert [entry.position for entry in feed.after(90)] == list(range(91, 102))
