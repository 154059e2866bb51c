"""The log of release 0.2, byte for byte: replayed for ever, to the same days."""

import json
from pathlib import Path
from typing import Any

import pytest

from floor import effects, facts
from floor.catalogue import load
from floor.commands import Command
from floor.day import Day, advance, days
from floor.facts import TOPICS, Entry, Fact
from full_day import AFTERNOON, MORNING, TUESDAY, full_days
from timeline import FULL, FloorDay

LOG = Path(__file__).parent / "golden" / "log-0.2.json"


def rewrite_golden(path: Path) -> None:
    r"""Write the golden log of a new release; an old one is never written again.

    PYTHONPATH=.:tests python -c \
        'import test_floor_golden as t; t.rewrite_golden(t.LOG)'
    """
    entries = full_days().entries
    rows = [
        [e.stream, e.version, e.topic, facts.encode(e.fact).decode()] for e in entries
    ]
    told = {day.stream: outcome(day) for day in days(entries)}
    digests = {day.stream: day.digest() for day in days(entries)}
    parts = [
        '{"rows": [',
        ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        f'],\n"days": {json.dumps(told, ensure_ascii=False, indent=1)},',
        f'"digests": {json.dumps(digests, indent=1)}}}\n',
    ]
    path.write_text("\n".join(parts), encoding="utf-8")


def golden() -> Any:
    return json.loads(LOG.read_text(encoding="utf-8"))


def entries() -> list[Entry]:
    return [
        Entry(stream, version, facts.decode(topic, state.encode()))
        for stream, version, topic, state in golden()["rows"]
    ]


def outcome(day: Day) -> dict[str, Any]:
    """What a person would say about a day."""
    return {
        "tickets": {
            t.id: f"{t.item} {t.kind} {t.state} window={t.window} clerk={t.clerk} "
            f"calls={t.calls} returns={t.returns} defers={t.defers} "
            f"level={t.level or ''} then={','.join(t.then)}"
            for t in day.tickets.values()
        },
        "windows": {p.id: f"{p.state} {p.clerk}" for p in day.places.values()},
        "bookings": {b.id: b.state for b in day.bookings.by_id.values()},
        "issued": day.issued,
        "taken": {item: len(taken) for item, taken in day.taken.items()},
        "last_calls": day.last_calls,
        "closed": day.closed,
    }


def test_the_golden_log_holds_every_fact_there_is() -> None:
    assert {entry.topic for entry in entries()} == set(TOPICS)
    positions = [entry.position for entry in entries()]
    assert positions == list(range(1, len(positions) + 1))


def test_each_row_is_written_again_as_the_same_bytes() -> None:
    for entry, row in zip(entries(), golden()["rows"], strict=True):
        assert facts.encode(entry.fact) == row[3].encode()


def test_the_log_of_release_0_2_still_tells_the_same_days() -> None:
    told = {day.stream: outcome(day) for day in days(entries())}
    assert json.loads(json.dumps(told)) == golden()["days"]


def test_and_to_the_last_bit() -> None:
    """A digest changes when the state learns a word, and then by nothing else."""
    assert {d.stream: d.digest() for d in days(entries())} == golden()["digests"]


def test_a_prefix_of_the_golden_log_and_the_rest_are_the_whole() -> None:
    whole = replayed(entries())
    for cut in range(1, len(entries()), 7):
        day = replayed(entries()[:cut])
        for entry in entries()[cut:]:
            day = advance(day, entry)
        assert day.digest() == whole.digest()


def replayed(log: list[Entry]) -> Day:
    day: Day | None = None
    for entry in log:
        day = advance(day, entry)
    assert day is not None
    return day


@pytest.mark.impossible
def test_what_is_live_is_what_a_replay_tells() -> None:
    floor = full_days()
    assert replayed(floor.entries).digest() == floor.day.digest()


class Watched(FloorDay):
    """A day on which each command is decided twice before it happens."""

    asked: set[type[Command]]

    def do(self, command: Command, at: Any) -> Fact:
        if self.day.catalogue.business_date(at) == self.day.date:
            self.asked.add(type(command))
            before = self.day.digest()
            try:
                decided = effects.decide(command, self.day, at)
                assert effects.decide(command, self.day, at) == decided
            finally:
                assert self.day.digest() == before
        return super().do(command, at)


def test_no_rule_changes_any_state() -> None:
    floor = Watched(load(FULL))
    floor.asked = set()
    afternoon = AFTERNOON.replace("fangwuzulin", "guohu")
    floor.play(MORNING).play(afternoon.replace("F001", "G006")).play(TUESDAY)
    left = {shape.__name__ for shape in effects.EFFECTS.keys() - floor.asked}
    assert left == {"PublishCatalogue"}
