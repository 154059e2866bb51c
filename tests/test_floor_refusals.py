"""Each refusal: the day that leads to it, what is asked, and both its sentences."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floor import commands, effects, refusals, rules
from floor.refusals import Refused
from refused import CALLED, HELD, PUBLISHED, REFUSED, SERVING
from timeline import FloorDay, hall, spoken

OF_RULES = {row[0] for row in REFUSED} | {row[0] for row in PUBLISHED}


@pytest.mark.parametrize(
    ("kind", "demands", "lines", "asked", "zh", "en"),
    REFUSED,
    ids=[kind.__name__ for kind, *_ in REFUSED],
)
def test_a_refusal_has_both_sentences_and_changes_nothing(
    kind: type[Refused], demands: dict[str, Any], lines: str, asked: str, zh: str,
    en: str,
) -> None:  # fmt: skip
    floor = hall(**demands).play(lines)
    verb, *words = asked.split()
    command = spoken(verb, words, floor.at)
    assert_refused(floor, command, kind, {"zh": zh, "en": en})


@pytest.mark.parametrize(
    ("kind", "lines", "catalogue", "zh", "en"),
    PUBLISHED,
    ids=[kind.__name__ for kind, *_ in PUBLISHED],
)
def test_a_catalogue_is_refused_with_both_sentences(
    kind: type[Refused], lines: str, catalogue: Any, zh: str, en: str
) -> None:
    floor = hall().play(lines)
    command = commands.PublishCatalogue(catalogue=catalogue)
    assert_refused(floor, command, kind, {"zh": zh, "en": en})


def assert_refused(
    floor: FloorDay,
    command: commands.Command,
    kind: type[Refused],
    message: dict[str, str],
) -> None:
    before = floor.day.digest()
    with pytest.raises(Refused) as refused:
        floor.do(command, floor.at("17:30:00"))
    assert type(refused.value) is kind
    assert refused.value.code == kind.__name__
    assert refused.value.message == message
    assert str(refused.value) == message["en"]
    assert floor.day.digest() == before


def refusals_named_in_rules() -> Iterator[str]:
    for path in Path(rules.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == (
                "refusals"
            ):
                yield node.attr


def test_every_refusal_that_a_rule_can_give_stands_in_a_table() -> None:
    named = set(refusals_named_in_rules()) - {"Refused"}
    assert len(named) > 60
    assert named == {kind.__name__ for kind in OF_RULES}


#: What the doors say no with: what they fill into the sentences.
OF_DOORS: dict[type[Refused], dict[str, object]] = {
    refusals.CommandIdReused: {},
    refusals.HallOverloaded: {},
    refusals.LogUnavailable: {},
    refusals.NothingBooked: {},
    refusals.UnknownCommand: {"command": "dance"},
    refusals.BadInput: {"name": "item", "why": "too long", "why_zh": "太长"},
    refusals.TooLarge: {"limit": 16_384},
    refusals.NotAllowed: {"why_zh": "只读", "why": "read only"},
}


def test_every_refusal_is_one_of_the_rules_or_of_the_doors() -> None:
    ours = {
        kind
        for kind in Refused.__subclasses__()
        if kind.__module__.startswith(refusals.__name__)
    }
    assert ours == OF_RULES | set(OF_DOORS)
    assert ours == {kind for kind in vars(refusals).values() if is_refusal(kind)}


def is_refusal(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Refused) and kind is not Refused


@pytest.mark.parametrize(("kind", "words"), OF_DOORS.items())
def test_a_refusal_of_the_doors_has_both_sentences_complete(
    kind: type[Refused], words: dict[str, object]
) -> None:
    refusal = kind(**words)
    assert set(refusal.message) == {"zh", "en"}
    assert all(s and "{" not in s for s in refusal.message.values())
    assert any(ord(letter) > 0x4E00 for letter in refusal.message["zh"])
    assert refusal.message["en"].isascii()


def test_a_refusal_has_a_status_that_the_door_knows_and_a_field_of_a_command() -> None:
    fields = {f for shape in effects.EFFECTS for f in shape.__struct_fields__}
    for kind in Refused.__subclasses__():
        assert kind.status in (403, 404, 409, 413, 422, 503)
        assert kind.field in fields | {"", "command", "booking", "identity"}
        assert kind.__doc__


#: A window's own refusals come in the order in which a clerk can mend them.
OTHERS = [
    ("", "pauses 1", "WindowNotOpen"),
    ("09:00 opens 1\n09:00:01 pauses 1", "pauses 1", "WindowOnPause"),
    (CALLED, "pauses 1", "WindowBusy"),
    (CALLED, "closes 1", "WindowBusy"),
    (f"{HELD}\n09:01 takes a\n09:02 calls 1", "closes 1", "WindowBusy"),
    ("", "closes 1", "WindowNotOpen"),
    ("17:00 closes-hall", "calls 1", "HallIsClosed"),
    ("17:00 closes-hall", "closes-hall", "HallIsClosed"),
    ("17:00 closes-hall", "closes-hall emergency", "HallIsClosed"),
    ("17:00 closes-hall", "opens 1", "HallIsClosed"),
    ("09:00 takes a\n17:00 closes-hall", "requeues A001", "HallIsClosed"),
    ("17:00 closes-hall", "requeues A009", "HallIsClosed"),
    ("09:00 takes a\n17:00 closes-hall", "defers A001", "TicketNotWaiting"),
    ("09:00 takes a\n17:00 closes-hall", "abandons A001", "TicketNotWaiting"),
    (f"{CALLED}\n09:01 opens 2", "calls 2 A001", "TicketNotWaiting"),
    (CALLED, "abandons A001", "TicketNotWaiting"),
    (CALLED, "defers A001", "TicketNotWaiting"),
    (CALLED, "holds 1", "NotStarted"),
    (CALLED, "returns 1", "WindowBusy"),
    (f"{HELD}\n09:01 pauses 1", "returns 1", "WindowOnPause"),
    (SERVING, "starts 1", "AlreadyStarted"),
    (SERVING, "recalls 1", "AlreadyStarted"),
    (SERVING, "undoes 1", "AlreadyStarted"),
    (SERVING, "finishes 1 feixing", "UnknownItem"),
    (CALLED, "transfers 1 feixing", "UnknownItem"),
    (CALLED, "transfers 1 to_window=9", "UnknownWindow"),
    (CALLED, "transfers 1 to_window=2", "WindowNotOpen"),
    (CALLED, "transfers 1 a to_window=2 to_clerk=c1", "NowhereToGo"),
    (CALLED, "transfers 1 to_clerk=c1", "TransferToSelf"),
    (f"{CALLED}\n09:01 opens 2", "moves 1 2", "WindowAlreadyOpen"),
    (CALLED, "moves 1 1", "WindowAlreadyOpen"),
    (CALLED, "moves 1 9", "UnknownWindow"),
    ("", "moves 1 2", "WindowNotOpen"),
    ("", "takes a then=b,feixing", "UnknownItem"),
    ("", "books feixing +1/09:00", "UnknownItem"),
    ("", "calls-ticket 1 A001", "WindowNotOpen"),
    ("09:00 opens 1", "calls 1 A001", "UnknownTicket"),
    ("", "breaks +1/09:00 +1/10:00 停电", "BadOutage"),
    ("", "breaks 11:00 10:59:59 停电", "BadOutage"),
    ("", "breaks 11:00 +1/11:00:01 停电", "BadOutage"),
]


@pytest.mark.parametrize(("lines", "asked", "code"), OTHERS)
def test_other_ways_to_be_refused(lines: str, asked: str, code: str) -> None:
    hall().play(lines).play(f"17:30 {asked} ! {code}")
