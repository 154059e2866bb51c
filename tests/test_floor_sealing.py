"""A hall seals its days: when it closes, and again when something came after that."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from floor import facts
from floor.catalogue import Catalogue, load
from floor.commands import (
    CallNext,
    CloseHall,
    Command,
    Evaluate,
    FinishService,
    OpenWindow,
    PublishCatalogue,
    ReopenHall,
    StartService,
    TakeTicket,
)
from floor.draft import Draft
from floor.facts import DaySealed, Entry, Level
from floor.log import Log, read, read_rows
from floor.merkle import root_of
from floor.proving import proof
from floor.proving.audit import Report
from floor.refusals import ItemStillWanted
from floor.seals import LeafLists, leaf_of
from timeline import SAMPLE

NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)
DAY = timedelta(days=1)
A_SERVICE: tuple[Command, ...] = (
    OpenWindow(window="1", clerk="c1"),
    TakeTicket(item="zonghe"),
    CallNext(window="1"),
    StartService(window="1"),
    FinishService(window="1"),
)


def live(path: Path, *days: tuple[timedelta, tuple[Command, ...]]) -> None:
    """Let a hall live through these commands, with a restart before each of them."""
    for after, said in days:
        with Log(path) as held:
            draft = Draft(held, load(SAMPLE))
            draft.open(NINE + after)
            draft.commit()
            for command in said:
                draft.decide(command, NINE + after)
                draft.commit()


def seals(path: Path) -> list[Entry]:
    return [e for e in read(path) if isinstance(e.fact, DaySealed)]


def verified(path: Path) -> Report:
    return proof.inspect(path)


def test_a_day_is_sealed_when_the_hall_closes(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    live(path, (timedelta(), (*A_SERVICE, CloseHall())))
    [seal] = seals(path)
    fact = seal.fact
    assert isinstance(fact, DaySealed)
    assert fact.size == seal.version - 1 == len(A_SERVICE) + 1
    leaves = [
        leaf_of(row.stream.encode(), row.version, row.topic.encode(), row.state)
        for row in read_rows(path)
        if row.stream == seal.stream
    ]
    assert fact.root == root_of(leaves[:-1]).hex()
    # The list has the seal's own row as well.
    assert LeafLists(path).read(seal.stream) == b"".join(leaves)
    assert verified(path).sound


def test_what_comes_after_the_seal_is_sealed_when_the_next_day_begins(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.db"
    rated = Evaluate(ticket="A001", level=Level.SATISFIED)
    live(path, (timedelta(), (*A_SERVICE, CloseHall())), (timedelta(), (rated,)))
    assert len(seals(path)) == 1
    live(path, (DAY, (TakeTicket(item="zonghe"),)))
    first, second = seals(path)
    assert first.stream == second.stream == "hall-1/2026-11-23"
    assert second.version == first.version + 2
    assert verified(path).sound
    live(path, (2 * DAY, (TakeTicket(item="zonghe"),)))
    # A day on which nothing came after its seal is not sealed twice.
    streams = [seal.stream[-5:] for seal in seals(path)]
    assert streams == ["11-23", "11-23", "11-24"]


def test_a_day_that_was_left_open_is_closed_and_sealed(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    live(path, (timedelta(), A_SERVICE), (3 * DAY, A_SERVICE))
    topics = [e.topic for e in read(path) if e.stream == "hall-1/2026-11-23"]
    assert topics[-2:] == ["HallClosed", "DaySealed"]
    assert verified(path).sound


def test_a_hall_that_reopens_is_sealed_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    again = (ReopenHall(), TakeTicket(item="zonghe"), CloseHall(reason="emergency"))
    live(path, (timedelta(), (*A_SERVICE, CloseHall(), *again)))
    assert len(seals(path)) == 2
    assert list(read(path))[-1].topic == "DaySealed"
    assert verified(path).sound


@pytest.mark.impossible
def test_the_changed_fact_of_a_hall_s_own_day_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    live(path, (timedelta(), (*A_SERVICE, CloseHall())))
    with sqlite3.connect(path) as log:
        log.execute("DROP TRIGGER no_update")
        log.execute(
            "UPDATE stored_events SET state = CAST(replace(state, '\"c1\"', '\"c2\"') "
            "AS BLOB) WHERE topic = 'TicketCalled'"
        )
    report = verified(path)
    assert not report.sound
    [finding] = report.findings
    assert "hall-1/2026-11-23 第3条 位置4 TicketCalled" in finding.place.words(True)


def test_a_seal_without_its_list_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "events.db"
    (tmp_path / "events.db.leaves").write_text("in the way")
    live(path, (timedelta(), (*A_SERVICE, CloseHall())))
    assert "叶表没有保存" in caplog.text
    (tmp_path / "events.db.leaves").unlink()
    assert verified(path).sound
    assert proof.keep_leaves(path) == 1


# ── The catalogue of a start ────────────────────────────────────────────────


def without(catalogue: Catalogue, item: str) -> Catalogue:
    """The catalogue less an item and the windows that have no other."""
    windows = tuple(
        msgspec.structs.replace(w, items=tuple(i for i in w.items if i != item))
        for w in catalogue.windows
        if w.items != (item,)
    )
    items = tuple(i for i in catalogue.items if i.id != item)
    return msgspec.structs.replace(catalogue, windows=windows, items=items)


def start(path: Path, catalogue: Catalogue, at: datetime) -> tuple[Draft, object]:
    with Log(path) as held:
        draft = Draft(held, catalogue)
        refusal = draft.open(at)
        draft.commit()
        return draft, refusal


def test_a_restart_keeps_what_was_sent_to_the_hall_at_work(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    sample = load(SAMPLE)
    smaller = without(sample, "churujing")
    live(path, (timedelta(), (PublishCatalogue(catalogue=smaller),)))
    draft, refusal = start(path, sample, NINE + timedelta(hours=1))
    assert refusal is None
    assert draft.day.catalogue == smaller
    # A file that somebody has changed since then is news.
    renamed = msgspec.structs.replace(sample, name="新大厅")
    draft, _ = start(path, renamed, NINE + timedelta(hours=2))
    assert draft.day.catalogue == renamed
    published = [e.fact for e in read(path) if e.stream == "hall-1/setup"]
    assert [
        fact.channel for fact in published if isinstance(fact, facts.CataloguePublished)
    ] == ["file", "door", "file"]


def test_a_start_takes_nothing_away_that_somebody_waits_for(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    sample = load(SAMPLE)
    live(path, (timedelta(), (TakeTicket(item="churujing"),)))
    smaller = without(sample, "churujing")
    draft, refusal = start(path, smaller, NINE + timedelta(hours=1))
    assert isinstance(refusal, ItemStillWanted)
    assert draft.day.catalogue == sample
    # The next morning nobody waits for it any more.
    draft, refusal = start(path, smaller, NINE + DAY)
    assert refusal is None
    assert draft.day.catalogue == smaller
