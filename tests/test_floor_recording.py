"""A recorded day comes out of its log as it went in, only faster."""

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from floor import door, log, refusals
from floor.catalogue import Catalogue, Item
from floor.commands import (
    AbandonTicket,
    BookAppointment,
    CallNext,
    CheckIn,
    CloseHall,
    Command,
    OpenWindow,
    TakeTicket,
)
from floor.day import Day
from floor.door import DevGate, Floor
from floor.facts import Entry, HallClosed
from floor.follow import Follower
from floor.hall import Draft
from floor.recording import SPEED_MAX, NothingRecorded, Recording, digests
from timeline import FloorDay

MONDAY = date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)
NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)  # 09:00 in Shanghai.


def record(path: Path, catalogue: Catalogue, *said: tuple[float, Command]) -> None:
    """Write a log: each command that many seconds after Monday, nine o'clock."""
    with log.Log(path) as held:
        draft = Draft(held, catalogue)
        draft.open(NINE + timedelta(seconds=said[0][0]))
        for after_s, command in said:
            draft.decide(command, NINE + timedelta(seconds=after_s))
        draft.commit()


DAY_S = 86_400
TWO_DAYS: tuple[tuple[float, Command], ...] = (
    (0, TakeTicket(item="zonghe")),
    (10, OpenWindow(window="1", clerk="c1")),
    (20, CallNext(window="1")),
    (30, CloseHall()),
    (DAY_S + 0, TakeTicket(item="zonghe")),
    (DAY_S + 100, TakeTicket(item="zonghe")),
    (DAY_S + 110, OpenWindow(window="1", clerk="c1")),
    (DAY_S + 300, CallNext(window="1")),
)


@pytest.fixture
def two_days(tmp_path: Path) -> Path:
    path = tmp_path / "events.db"
    record(path, FloorDay().catalogue, *TWO_DAYS)
    return path


def topics(entries: list[Entry]) -> list[str]:
    return [entry.topic for entry in entries]


async def test_a_day_begins_empty_and_ends_as_it_was(two_days: Path) -> None:
    for day in (MONDAY, TUESDAY):
        recording = Recording(two_days, day)
        assert recording.day == recording.feed.day.date == day
        assert not recording.feed.day.tickets
        assert recording.feed.day.catalogue == FloorDay().catalogue
        await recording.play(100_000)
        assert (
            recording.feed.day.stream,
            recording.feed.day.digest(),
        ) in digests(two_days)


async def test_the_last_day_is_played_when_none_is_named(two_days: Path) -> None:
    recording = Recording(two_days)
    assert recording.day == TUESDAY
    assert topics(list(recording.entries)) == [
        "TicketTaken",
        "TicketTaken",
        "WindowOpened",
        "TicketCalled",
    ]
    assert [entry.position for entry in recording.entries] == [7, 8, 9, 10]


def test_a_log_gives_the_same_digests_twice_and_others_for_other_facts(
    two_days: Path, tmp_path: Path
) -> None:
    assert digests(two_days) == digests(two_days)
    record(tmp_path / "other.db", FloorDay().catalogue, *TWO_DAYS[:-1])
    here, there = digests(two_days), digests(tmp_path / "other.db")
    assert [stream for stream, _ in here] == [stream for stream, _ in there]
    assert here[-1] != there[-1]
    assert {len(digest) for _, digest in here} == {64}


async def test_followers_from_the_beginning_see_no_gap(two_days: Path) -> None:
    recording = Recording(two_days)
    early = recording.feed.follow(0)
    at_the_door = recording.feed.follow(recording.feed.position)
    reading = asyncio.gather(read(early, 5), read(at_the_door, 4))
    await recording.play(10_000)
    whole, facts_alone = await asyncio.wait_for(reading, 5)
    assert topics(whole) == ["CataloguePublished", *topics(facts_alone)]
    assert [entry.position for entry in whole] == [6, 7, 8, 9, 10]
    assert facts_alone == list(recording.entries)
    late = recording.feed.follow(8)
    assert await asyncio.wait_for(read(late, 2), 5) == list(recording.entries)[2:]


async def read(follower: Follower, count: int) -> list[Entry]:
    entries = []
    async for entry in follower:
        entries.append(entry)
        if len(entries) == count:
            break
    follower.close()
    return entries


async def test_nobody_is_told_what_has_not_been_played(two_days: Path) -> None:
    recording = Recording(two_days)
    follower = recording.feed.follow(0)
    assert topics(await read(follower, 1)) == ["CataloguePublished"]
    assert recording.clock() == NINE + timedelta(days=1)
    assert topics(list(recording.feed.after(0))) == ["CataloguePublished"]


async def test_facts_keep_their_spacing_and_the_clock_goes_with_them(
    two_days: Path,
) -> None:
    """300 recorded seconds at 500 times are 0.6 s: facts at 0, 0.2, 0.22 and 0.6."""
    recording = Recording(two_days)
    began = time.monotonic()
    seen: list[tuple[float, datetime]] = []

    def note(day: Day, entry: Entry | None) -> None:
        assert entry is not None
        # What a screen or a voice would judge staleness by.
        behind_s = (recording.clock() - entry.fact.at).total_seconds()
        assert 0 <= behind_s <= 200
        seen.append((time.monotonic() - began, entry.fact.at))

    recording.feed.watch(note)
    await recording.play(500)
    after = [at_s for at_s, _ in seen]
    for is_s, ought_s in zip(after, (0, 0.2, 0.22, 0.6), strict=True):
        assert ought_s - 0.02 <= is_s < ought_s + 0.4
    assert recording.clock() == recording.entries[-1].fact.at


async def test_the_clock_waits_for_the_next_fact_and_never_runs_past_it(
    two_days: Path,
) -> None:
    recording = Recording(two_days)
    playing = asyncio.create_task(recording.play(200))
    await asyncio.sleep(0.1)
    first, second = (entry.fact.at for entry in list(recording.entries)[:2])
    assert first < recording.clock() <= second
    earlier = recording.clock()
    await asyncio.sleep(0.02)
    assert recording.clock() >= earlier
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    await recording.play(100_000)  # Goes on where it was.
    assert recording.feed.position == recording.entries[-1].position


async def test_progress_is_told_up_to_the_end(two_days: Path) -> None:
    told: list[tuple[int, int]] = []
    await Recording(two_days).play(100_000, lambda *of: told.append(of))
    assert told[-1] == (4, 4)
    assert told == sorted(told)


async def test_a_crowded_day_at_full_speed_stalls_nobody(tmp_path: Path) -> None:
    """More facts at one instant than a follower's queue holds."""
    crowd = [(n / 1000, TakeTicket(item="zonghe")) for n in range(3_000)]
    record(tmp_path / "events.db", FloorDay().catalogue, *crowd)
    recording = Recording(tmp_path / "events.db")
    follower = recording.feed.follow(recording.feed.position)
    reading = asyncio.create_task(read(follower, 3_000))
    await recording.play(100_000)
    assert await asyncio.wait_for(reading, 10) == list(recording.entries)


async def test_a_catalogue_of_the_day_comes_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    first = FloorDay().catalogue
    item = Item(id="new", name="新", name_en="New", prefix="Z")
    window = first.windows[0]
    window = type(window)(
        id="99", name="新", name_en="New", department="x", items=("new",)
    )
    second = Catalogue(
        hall=first.hall,
        name=first.name,
        name_en=first.name_en,
        items=(*first.items, item),
        windows=(*first.windows, window),
    )
    record(path, first, (0, TakeTicket(item="zonghe")))
    gone = AbandonTicket(ticket="Z001")
    record(path, second, (60, TakeTicket(item="new")), (90, gone))
    record(path, first, (120, CloseHall()))
    recording = Recording(path, MONDAY)
    assert "new" not in recording.feed.day.items
    assert topics(list(recording.entries)) == [
        "TicketTaken",
        "CataloguePublished",
        "TicketTaken",
        "TicketAbandoned",
        "CataloguePublished",
        "HallClosed",
        "DaySealed",
    ]
    await recording.play(100_000)
    assert recording.feed.day.catalogue == first
    assert [(recording.feed.day.stream, recording.feed.day.digest())] == digests(path)
    assert isinstance(recording.entries[-2].fact, HallClosed)


async def test_an_earlier_day_uses_the_catalogue_of_that_day(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    first = FloorDay().catalogue
    second = Catalogue(
        hall=first.hall,
        name="改名",
        name_en="Renamed",
        items=first.items,
        windows=first.windows,
    )
    record(path, first, (0, TakeTicket(item="zonghe")), (1, CloseHall()))
    record(path, second, (DAY_S, TakeTicket(item="zonghe")))
    assert Recording(path, MONDAY).feed.day.catalogue == first
    assert Recording(path, TUESDAY).feed.day.catalogue == second
    assert Recording(path).feed.day.catalogue == second
    recording = Recording(path, TUESDAY)
    await recording.play(100_000)
    assert (recording.feed.day.stream, recording.feed.day.digest()) in digests(path)


@pytest.mark.parametrize("speed", [0, -1, 0.09, 100_001, float("nan"), float("inf")])
async def test_a_speed_that_nobody_could_follow_is_refused(
    two_days: Path, speed: float
) -> None:
    recording = Recording(two_days)
    with pytest.raises(NothingRecorded) as refused:
        await recording.play(speed)
    assert "倍" in refused.value.message["zh"]
    assert recording.feed.position == 6


def test_a_day_that_was_not_recorded_is_refused(two_days: Path) -> None:
    with pytest.raises(NothingRecorded, match="no facts of 2026-11-25"):
        Recording(two_days, date(2026, 11, 25))


def test_a_log_without_a_day_or_with_two_halls_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with log.Log(path):
        pass
    with pytest.raises(NothingRecorded, match="0 halls"):
        Recording(path)
    first = FloorDay().catalogue
    with log.Log(path) as held:
        draft = Draft(held, first)
        draft.open(NINE)
        draft.commit()
    with pytest.raises(NothingRecorded, match="no facts of any day"):
        Recording(path)
    other = Catalogue(
        hall="other", name="x", name_en="x", items=first.items, windows=first.windows
    )
    record(path, other, (0, TakeTicket(item="zonghe")))
    with pytest.raises(NothingRecorded, match="2 halls"):
        Recording(path)


@pytest.mark.parametrize("content", [None, b"", b"not a log"])
def test_a_file_that_is_no_log_is_refused(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "events.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(log.LogUnreadable):
        Recording(path)
    with pytest.raises(log.LogUnreadable):
        digests(path)


async def test_a_recorded_day_can_be_shown_and_not_commanded(two_days: Path) -> None:
    recording = Recording(two_days)
    floor = Floor(recording.feed, None, recording.clock, DevGate(), b"k" * 32)
    app = door.application(floor, [])
    async with door.running(app, door.listen("127.0.0.1", 0)):
        await recording.play(10_000)
    with pytest.raises(refusals.NotAllowed):
        await floor.do(TakeTicket(item="zonghe"))
    assert floor.clock() == recording.entries[-1].fact.at


@pytest.mark.parametrize("day", [None, TUESDAY])
async def test_bookings_before_and_within_a_day_do_not_break_its_replay(
    tmp_path: Path, day: date | None
) -> None:
    path = tmp_path / "events.db"
    catalogue = FloorDay().catalogue
    booking = msgspec.structs.replace(catalogue.booking, quota=3)
    catalogue = msgspec.structs.replace(catalogue, booking=booking)
    book = BookAppointment(item="zonghe", slot_at=NINE + timedelta(days=1, hours=1))
    record(
        path,
        catalogue,
        (0, TakeTicket(item="zonghe")),
        (60, book),
        (DAY_S - 3600, book),
        (DAY_S, TakeTicket(item="zonghe")),
        (DAY_S + 5, book),
        (DAY_S + 3000, CheckIn(booking="20261124-001")),
    )
    recording = Recording(path, day)
    await recording.play(SPEED_MAX)
    shown = recording.feed.day
    assert shown.date == TUESDAY
    assert list(shown.tickets) == ["A001", "AP001"]
    positions = [entry.position for entry in recording.entries]
    assert positions == list(range(positions[0], positions[-1] + 1))
