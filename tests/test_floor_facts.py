"""The vocabulary of the log: its words, how rows are read, and what each fact does."""

import json
import sqlite3
import typing
from datetime import UTC, datetime
from enum import EnumMeta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floor import facts
from floor.catalogue import Catalogue, load
from floor.day import Day, advance, days
from floor.facts import FACTS, TOPICS, Entry, Fact
from floor.log import LogUnreadable, read
from timeline import SAMPLE, FloorDay

GOLDEN = Path(__file__).parent / "golden"
NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)


# ── Words ───────────────────────────────────────────────────────────────────


def topics() -> dict[str, Any]:
    """The shape of every fact as the log knows it: fields, types and defaults."""
    _, schemas = msgspec.json.schema_components(FACTS)
    text = json.dumps(schemas, ensure_ascii=False, sort_keys=True)
    return typing.cast(dict[str, Any], _without_prose(json.loads(text)))


def _without_prose(schema: object) -> object:
    if isinstance(schema, dict):
        prose = ("description", "title")
        kept = {k: _without_prose(v) for k, v in schema.items() if k not in prose}
        # `required` keeps the order of the source, which means nothing.
        if isinstance(kept.get("required"), list):
            kept["required"] = sorted(typing.cast(list[str], kept["required"]))
        return kept
    if isinstance(schema, list):
        return [_without_prose(part) for part in schema]
    return schema


def rewrite_golden() -> None:
    """Run by hand, after a fact gained an optional field or a new fact was added."""
    text = json.dumps(topics(), ensure_ascii=False, indent=1, sort_keys=True)
    (GOLDEN / "topics.json").write_text(text + "\n", encoding="utf-8")


def test_the_words_of_the_log_are_those_of_the_golden_file() -> None:
    golden = json.loads((GOLDEN / "topics.json").read_text(encoding="utf-8"))
    now = topics()
    for name, schema in golden.items():
        assert name in now, f"{name} is gone, but old logs hold it"
        for field in golden[name].get("properties", {}):
            assert field in now[name]["properties"], f"{name}.{field} is gone"
        extra = set(now[name].get("required", ())) - set(schema.get("required", ()))
        assert not extra, f"{name}: old rows do not have {extra}"
    assert now == golden, (
        "Facts changed. Only new facts and optional fields are allowed; then run: "
        "cd tests && python -c 'import test_floor_facts as t; t.rewrite_golden()'"
    )


def test_every_fact_class_is_a_topic_and_has_its_chinese_word() -> None:
    assert set(Fact.__subclasses__()) == set(FACTS)
    assert len(TOPICS) == len(FACTS)
    for topic, kind in TOPICS.items():
        assert topic == kind.__name__
        word, _, meaning = (kind.__doc__ or "").partition(": ")
        assert all(ord(letter) > 0x2E80 for letter in word), topic
        assert meaning


def test_facts_are_frozen_and_take_no_positional_words() -> None:
    fact = facts.TicketAbandoned(at=NINE, ticket="A001")
    with pytest.raises(AttributeError):
        fact.ticket = "A002"  # type: ignore[misc]
    for kind in FACTS:
        assert kind.__struct_config__.frozen
        with pytest.raises(TypeError):
            kind(NINE)  # type: ignore[call-arg]


# ── Rows ────────────────────────────────────────────────────────────────────

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
INSTANTS = st.datetimes(
    datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
SAMPLE_CATALOGUE = load(SAMPLE)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) is tuple:
        return st.lists(TEXT, max_size=4).map(tuple)
    if type(None) in get_args(annotation):
        return st.none() | _values(get_args(annotation)[0])
    if isinstance(annotation, EnumMeta):
        return st.sampled_from(list(annotation))
    by_type: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: st.integers(-(2**63), 2**63 - 1),
        bool: st.booleans(),
        datetime: INSTANTS,
        Catalogue: st.just(SAMPLE_CATALOGUE),
    }
    return by_type[annotation]


def fact_of(kind: type[Fact]) -> st.SearchStrategy[Fact]:
    """Any fact of a kind."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: _values(hint) for name, hint in hints.items()})


@given(st.one_of([fact_of(kind) for kind in FACTS]))
@settings(max_examples=400, deadline=None)
def test_what_was_written_is_what_is_read(fact: Fact) -> None:
    state = facts.encode(fact)
    again = facts.decode(type(fact).__name__, state)
    assert again == fact
    assert type(again) is type(fact)
    assert facts.encode(again) == state


def full_row(kind: type[Fact]) -> dict[str, Any]:
    """A row with every field of a fact."""
    by_type: dict[Any, object] = {
        str: "x",
        int: 1,
        bool: True,
        datetime: "2026-11-23T01:00:00Z",
        Catalogue: msgspec.to_builtins(SAMPLE_CATALOGUE),
    }
    row: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind).items():
        if get_origin(hint) is tuple:
            row[name] = ["x"]
        elif get_origin(hint) is Literal:
            row[name] = get_args(hint)[0]
        elif isinstance(hint, EnumMeta):
            row[name] = next(iter(hint)).value
        else:
            row[name] = by_type[get_args(hint)[0] if get_args(hint) else hint]
    return row


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
def test_each_field_of_each_fact_refuses_a_value_of_another_type(
    kind: type[Fact],
) -> None:
    hints = typing.get_type_hints(kind)
    row = full_row(kind)
    assert type(facts.decode(kind.__name__, msgspec.json.encode(row))) is kind
    for name, hint in hints.items():
        wrong: list[object] = [{}, [[]], 1.5]
        if type(None) not in get_args(hint):
            wrong.append(None)
        wrong.append("x" if hint in (int, bool, datetime) else 7)
        for value in wrong:
            state = msgspec.json.encode(row | {name: value})
            with pytest.raises(msgspec.ValidationError):
                facts.decode(kind.__name__, state)


def test_a_row_of_an_older_release_without_optional_fields_still_reads() -> None:
    row = b'{"at":"2026-11-23T01:00:00Z","position":3,"ticket":"A001","item":"x"}'
    assert facts.decode("TicketTaken", row) == facts.TicketTaken(
        at=NINE, position=3, ticket="A001", item="x"
    )
    for kind in FACTS:
        full = full_row(kind)
        needed = {f.name for f in msgspec.structs.fields(kind) if f.required}
        least = msgspec.json.encode({name: full[name] for name in needed})
        assert type(facts.decode(kind.__name__, least)) is kind


def test_a_row_of_a_newer_release_with_a_field_more_still_reads() -> None:
    row = b'{"at":"2026-11-23T01:00:00Z","ticket":"A001","mood":"good"}'
    assert facts.decode("TicketAbandoned", row).at == NINE


def test_an_unknown_topic_is_refused_and_imports_nothing() -> None:
    for topic in ("", "os:system", "floor.facts:TicketTaken", "tickettaken"):
        with pytest.raises(facts.UnknownTopic):
            facts.decode(topic, b"{}")


HOSTILE_ROWS: list[tuple[object, object]] = [
    ("os:system", b"{}"),
    ("TicketAbandoned", b""),
    ("TicketAbandoned", b"{"),
    ("TicketAbandoned", b"\xff\xfe"),
    ("TicketAbandoned", b"[" * 5_000),
    ("TicketAbandoned", b'{"at":"2026-11-23T01:00:00Z","ticket":7}'),
    ("TicketAbandoned", b'{"at":"yesterday","ticket":"A001"}'),
    ("TicketAbandoned", None),
    ("TicketAbandoned", 12),
    (None, b"{}"),
    (b"TicketAbandoned", b"{}"),
]


@pytest.mark.impossible
@pytest.mark.parametrize(("topic", "state"), HOSTILE_ROWS)
def test_a_hostile_row_is_named_in_a_sentence(
    tmp_path: Path, topic: object, state: object
) -> None:
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as raw:
        raw.execute(
            "CREATE TABLE stored_events (originator_id TEXT, "
            "originator_version INTEGER, topic TEXT, state BLOB, "
            "PRIMARY KEY (originator_id, originator_version))"
        )
        row = ("hall-1/2026-11-23", 4, topic, state)
        raw.execute("INSERT INTO stored_events VALUES (?,?,?,?)", row)
    raw.close()
    with pytest.raises(LogUnreadable) as unreadable:
        list(read(path))
    sentence = str(unreadable.value)
    assert "hall-1/2026-11-23 第 4 条无法读取" in sentence
    assert "Fact 4 of hall-1/2026-11-23 in events.db cannot be read" in sentence


# ── What each fact does to the day ──────────────────────────────────────────


def happen(floor: FloorDay, fact: Fact) -> None:
    """Let a fact that no rule writes yet happen on the day."""
    position = floor.entries[-1].position + 1
    fact = msgspec.structs.replace(fact, position=position)
    entry = Entry(floor.day.stream, floor.day.version + 1, fact)
    floor.day = advance(floor.day, entry)
    floor.entries.append(entry)


def line_of(floor: FloorDay, item: str) -> list[str]:
    return list(floor.day.lines[item])


def test_a_visitor_who_came_back_waits_at_the_place_given(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:00:02 takes zonghe
    09:00:03 takes zonghe
    09:00:04 takes zonghe
    09:01:00 calls 1
    09:01:30 recalls 1
    09:02:00 no-show 1
    """
    at = floor.at("09:05:00")
    happen(floor, facts.TicketRequeued(at=at, ticket="A001", place=2))
    assert line_of(floor, "zonghe") == ["A002", "A003", "A001", "A004"]
    ticket = floor.day.tickets["A001"]
    assert (ticket.state, ticket.window, ticket.clerk, ticket.calls) == (
        "waiting",
        "",
        "",
        0,
    )
    assert (ticket.called_at, ticket.started_at, ticket.ended_at) == (None,) * 3
    assert floor.day.ahead(ticket) == 2
    waiting = [t.id for t in floor.day.waiting(["zonghe", "minsheng"])]
    assert waiting == ["A002", "A003", "A001", "A004"]
    floor.play("09:06:00 calls 1\n09:06:01 no-show 1\n09:06:02 calls 1")
    floor.play("09:06:03 no-show 1\n09:06:04 calls 1")
    assert floor.day.places["1"].ticket == "A001"


@pytest.mark.parametrize(
    ("place", "order"),
    [
        (0, ["A002", "A001", "A003"]),
        (1, ["A001", "A002", "A003"]),
        (2, ["A001", "A003", "A002"]),
        (9, ["A001", "A003", "A002"]),
    ],
)
def test_a_waiting_visitor_may_be_put_elsewhere_in_the_line(
    place: int, order: list[str]
) -> None:
    """延后: the ticket leaves its old place, and the place counts the others."""
    floor = FloorDay().play(
        "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 takes zonghe\n"
        "09:00:03 takes zonghe"
    )
    at = floor.at("09:05:00")
    happen(floor, facts.TicketRequeued(at=at, ticket="A002", place=place))
    assert line_of(floor, "zonghe") == order
    assert [t.id for t in floor.day.waiting(["zonghe"])] == order


def test_a_requeued_ticket_keeps_its_turn_among_other_items(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:00:02 takes zonghe
    09:00:03 takes minsheng
    09:00:04 takes zonghe
    09:01:00 calls 1
    09:02:00 no-show 1
    """
    # Behind A002 and in the turn of A003, so P001, who came before A003, goes first.
    at = floor.at("09:05:00")
    happen(floor, facts.TicketRequeued(at=at, ticket="A001", place=1))
    waiting = [t.id for t in floor.day.waiting(["zonghe", "minsheng"])]
    assert waiting == ["A002", "P001", "A001", "A003"]


def test_a_transferred_ticket_waits_for_the_other_item(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:00:02 takes churujing
    09:00:03 takes churujing
    09:01:00 calls 1
    09:01:10 starts 1
    """
    at = floor.at("09:02:00")
    happen(
        floor,
        facts.TicketTransferred(at=at, ticket="A001", window="1", item="churujing"),
    )
    assert line_of(floor, "churujing") == ["G001", "G002", "A001"]
    assert floor.day.tickets["A001"].item == "churujing"
    assert floor.day.tickets["A001"].started_at is None
    assert floor.day.places["1"].state == "free"
    assert floor.day.places["1"].ticket == ""
    assert floor.day.places["1"].last == ""
    assert line_of(floor, "zonghe") == []


def test_a_ticket_transferred_to_the_front_is_next(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:00:02 takes minsheng
    09:00:03 takes minsheng
    09:01:00 calls 1
    """
    at = floor.at("09:02:00")
    moved = facts.TicketTransferred(
        at=at, ticket="A001", window="1", item="minsheng", front=True
    )
    happen(floor, moved)
    assert line_of(floor, "minsheng") == ["A001", "P001", "P002"]
    floor.play("09:03:00 calls 1")
    assert floor.day.places["1"].ticket == "A001"
    assert line_of(floor, "minsheng") == ["P001", "P002"]


def test_a_booking_that_checked_in_becomes_a_ticket(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    """
    at = floor.at("09:02:00")
    slot = floor.at("09:30:00")
    happen(
        floor,
        facts.AppointmentCheckedIn(
            at=at, ticket="A002", item="zonghe", booking="b-1", slot_at=slot
        ),
    )
    ticket = floor.day.tickets["A002"]
    assert (ticket.kind, ticket.state, ticket.taken_at) == (
        "appointment",
        "waiting",
        at,
    )
    assert line_of(floor, "zonghe") == ["A001", "A002"]
    floor.play("09:03:00 takes zonghe")
    assert "A003" in floor.day.tickets


@pytest.mark.impossible
def test_facts_for_scoring_and_devices_leave_tickets_and_windows_alone(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:01:00 calls 1
    """
    at = floor.at("09:05:00")
    counted = {"position": 0, "version": 0, "sealed": 0, "last_at": at}
    before = floor.day.state() | counted
    first = floor.day.version
    for fact in (
        facts.EvaluationLapsed(at=at, ticket="A001", window="1"),
        facts.DeviceLost(at=at, device="led-1"),
        facts.DeviceRestored(at=at, device="led-1"),
        facts.ClockStepped(at=at, back_ms=60_000),
        facts.OutageDeclared(at=at, from_at=at, to_at=at, reason="停电"),
        facts.DaySealed(at=at, size=4, root="ab" * 32),
    ):
        happen(floor, fact)
    assert floor.day.state() | counted == before
    assert floor.day.version == first + 6
    assert floor.day.last_at == at


def test_a_fact_out_of_order_stops_the_replay(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    """
    again = floor.entries[-1]
    with pytest.raises(AssertionError, match="follows"):
        floor.day.apply(again)
    hole = facts.WindowPaused(at=floor.at("09:01:00"), window="1", position=9)
    with pytest.raises(AssertionError, match="follows"):
        floor.day.apply(Entry(floor.day.stream, 9, hole))


def test_a_log_must_begin_with_a_catalogue() -> None:
    opened = facts.WindowOpened(at=NINE, window="1", clerk="c", items=())
    with pytest.raises(ValueError, match="begin"):
        advance(None, Entry("hall-1/2026-11-23", 1, opened))


@pytest.mark.impossible
def test_the_last_calls_are_the_newest_and_bounded(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    """
    for number in range(1, 31):
        floor.play("09:01:00 takes zonghe\n09:02:00 calls 1")
        floor.play("09:02:00 recalls 1\n09:02:00 no-show 1")
        assert floor.day.last_calls[0] == f"A{number:03d}"
    assert len(floor.day.last_calls) == Day.LAST_CALLS_MAX
    assert len(set(floor.day.last_calls)) == Day.LAST_CALLS_MAX


# ── The log of release 0.1, for ever ────────────────────────────────────────


TOPICS_0_1 = {
    "CataloguePublished",
    "WindowOpened",
    "WindowPaused",
    "WindowResumed",
    "WindowClosed",
    "TicketTaken",
    "AppointmentCheckedIn",
    "TicketCalled",
    "TicketRecalled",
    "NoShowDeclared",
    "TicketRequeued",
    "TicketAbandoned",
    "ServiceStarted",
    "ServiceFinished",
    "TicketTransferred",
    "EvaluationInvited",
    "EvaluationGiven",
    "EvaluationLapsed",
    "DeviceLost",
    "DeviceRestored",
    "ClockStepped",
    "OutageDeclared",
    "HallClosed",
    "DaySealed",
}


def golden_entries() -> list[Entry]:
    rows = json.loads((GOLDEN / "log-0.1.json").read_text(encoding="utf-8"))["rows"]
    return [
        Entry(
            row["stream"],
            row["version"],
            facts.decode(row["topic"], json.dumps(row["state"]).encode()),
        )
        for row in rows
    ]


def outcome(day: Day) -> dict[str, Any]:
    """What a person would say about a day."""
    return {
        "tickets": {
            t.id: [t.item, t.kind, t.state, t.window, t.calls, t.level]
            for t in day.tickets.values()
        },
        "windows": {p.id: [p.state, p.clerk] for p in day.places.values() if p.since},
        "lines": {item: list(line) for item, line in day.lines.items() if line},
        "issued": day.issued,
        "closed": day.closed,
    }


def test_the_log_of_release_0_1_still_tells_the_same_days() -> None:
    told = json.loads((GOLDEN / "log-0.1.json").read_text(encoding="utf-8"))["days"]
    entries = golden_entries()
    assert {entry.topic for entry in entries} >= TOPICS_0_1
    assert [e.position for e in entries] == list(range(1, len(entries) + 1))
    seen = {day.stream: outcome(day) for day in days(entries)}
    assert json.loads(json.dumps(seen)) == told


def test_a_prefix_of_the_golden_log_and_the_rest_are_the_whole() -> None:
    entries = golden_entries()
    whole: Day | None = None
    for entry in entries:
        whole = advance(whole, entry)
    assert whole is not None
    for cut in range(1, len(entries)):
        day: Day | None = None
        for entry in entries[:cut]:
            day = advance(day, entry)
        for entry in entries[cut:]:
            day = advance(day, entry)
        assert day is not None
        assert day.digest() == whole.digest()


def test_two_days_differ_in_digest_when_one_fact_differs() -> None:
    one, other = FloorDay(), FloorDay()
    one.play("09:00:00 takes zonghe")
    other.play("09:00:00 takes shebao")
    assert one.day.digest() != other.day.digest()
    assert one.day.digest() == FloorDay().play("09:00:00 takes zonghe").day.digest()
    assert len(one.day.digest()) == 64
