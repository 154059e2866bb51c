"""Given a day, when a rule, then a fact or a refusal."""

import msgspec
import pytest

from floor import commands, effects, facts
from floor.catalogue import load
from floor.commands import Command
from floor.day import Day
from floor.facts import Level
from floor.refusals import Refused
from timeline import SAMPLE, FloorDay

# ── Each rule, when it says yes ─────────────────────────────────────────────


def test_first_come_is_called_first_over_all_items_of_the_window(
    floor: FloorDay,
) -> None:
    """
    09:00:00 takes minsheng
    09:00:05 takes zonghe
    09:00:10 opens 1
    09:01:00 calls 1
    """
    assert floor.day.places["1"].ticket == "P001"
    assert [t.id for t in floor.day.waiting(["zonghe", "minsheng"])] == ["A001"]
    assert floor.entries[-1].fact == facts.TicketCalled(
        at=floor.at("09:01:00"),
        position=5,
        command="t5",
        ticket="P001",
        window="1",
        clerk="c1",
        policy="first_come",
        because="first",
    )


def test_a_window_opens_for_the_items_of_its_catalogue(floor: FloorDay) -> None:
    """
    08:58:00 opens 1 c7
    """
    place = floor.day.places["1"]
    assert (place.state, place.clerk, place.ticket) == ("free", "c7", "")
    assert place.since == floor.at("08:58:00")
    known = floor.catalogue.window("1")
    assert known is not None
    assert place.items == known.items


def test_a_pause_keeps_its_reason_until_the_window_resumes(floor: FloorDay) -> None:
    """
    08:58:00 opens 1
    09:10:00 pauses 1 取材料
    """
    place = floor.day.places["1"]
    assert (place.state, place.reason) == ("paused", "取材料")
    floor.play("09:12:00 resumes 1")
    assert (place.state, place.reason) == ("free", "")
    assert place.since == floor.at("09:12:00")


def test_a_window_closes_also_from_a_pause_and_its_clerk_may_open_another(
    floor: FloorDay,
) -> None:
    """
    08:58:00 opens 1 c7
    09:10:00 pauses 1
    09:20:00 closes 1
    09:30:00 opens 2 c7
    """
    assert floor.day.places["1"].state == "closed"
    assert floor.day.places["1"].clerk == ""
    assert floor.day.places["2"].clerk == "c7"


def test_numbers_run_for_each_prefix_and_keep_their_width(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    09:00:01 takes shebao
    09:00:02 takes zonghe
    """
    assert list(floor.day.tickets) == ["A001", "C001", "A002"]
    for _ in range(998):
        floor.do(commands.TakeTicket(item="zonghe"), floor.at("09:01:00"))
    assert list(floor.day.tickets)[-2:] == ["A999", "A1000"]


def test_a_taken_ticket_keeps_its_kind_and_channel() -> None:
    floor = FloorDay()
    take = commands.TakeTicket(item="zonghe", kind="care", channel="staff")
    fact = floor.do(take, floor.at("09:00:00"))
    assert isinstance(fact, facts.TicketTaken)
    assert (fact.kind, fact.channel) == ("care", "staff")
    assert floor.day.tickets["A001"].kind == "care"
    assert floor.day.tickets["A001"].taken_at == floor.at("09:00:00")


def test_a_ticket_goes_from_the_line_to_the_window_and_out(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    """
    ticket = floor.day.tickets["A001"]
    assert (ticket.state, ticket.window) == ("waiting", "")
    floor.play("09:01:00 calls 1")
    assert (ticket.state, ticket.window, ticket.clerk) == ("called", "1", "c1")
    assert ticket.called_at == floor.at("09:01:00")
    place = floor.day.places["1"]
    assert (place.state, place.ticket) == ("called", "A001")
    floor.play("09:01:20 recalls 1\n09:01:30 recalls 1")
    assert ticket.calls == 3
    floor.play("09:01:40 starts 1")
    assert (ticket.state, ticket.started_at) == ("serving", floor.at("09:01:40"))
    assert (place.state, place.ticket) == ("serving", "A001")
    floor.play("09:09:00 finishes 1")
    assert (ticket.state, ticket.ended_at) == ("served", floor.at("09:09:00"))
    assert (place.state, place.ticket, place.last) == ("free", "", "A001")


def test_a_no_show_frees_the_window_and_serves_nobody(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:01:00 calls 1
    09:03:00 no-show 1
    """
    assert floor.day.tickets["A001"].state == "no_show"
    assert floor.day.places["1"].state == "free"
    assert floor.day.places["1"].last == ""


def test_a_ticket_called_by_hand_overtakes_and_says_so(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:01:00 calls 1 A002 老人先办
    """
    called = floor.entries[-1].fact
    assert isinstance(called, facts.TicketCalled)
    assert (called.policy, called.reason) == ("by_hand", "老人先办")
    assert floor.day.places["1"].ticket == "A002"
    assert [t.id for t in floor.day.waiting(["zonghe"])] == ["A001"]


def test_a_visitor_who_gives_up_leaves_the_line(floor: FloorDay) -> None:
    """
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:01:00 abandons A001
    """
    assert floor.day.tickets["A001"].state == "abandoned"
    assert floor.day.ahead(floor.day.tickets["A002"]) == 0


def test_a_served_visitor_is_invited_and_rates_also_after_the_hall_closed(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:01:00 calls 1
    09:01:10 starts 1
    09:05:00 finishes 1
    09:05:01 invites 1
    17:00:00 closes-hall
    17:01:00 rates A001 basically_satisfied
    """
    ticket = floor.day.tickets["A001"]
    assert ticket.invited
    assert ticket.level is Level.BASICALLY_SATISFIED
    given = floor.entries[-1].fact
    assert isinstance(given, facts.EvaluationGiven)
    assert given.window == "1"


def test_closing_the_hall_ends_every_ticket_and_closes_every_window(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    09:00:01 opens 2
    09:00:02 pauses 2
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:01:00 calls 1
    17:00:00 closes-hall
    """
    assert {t.state for t in floor.day.tickets.values()} == {"closed"}
    assert {p.state for p in floor.day.places.values()} == {"closed"}
    assert {p.ticket for p in floor.day.places.values()} == {""}
    assert not any(floor.day.lines.values())
    assert floor.day.closed


def test_a_new_day_starts_at_001_with_every_window_closed(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    +1 09:00:00 takes zonghe
    """
    assert list(floor.day.tickets) == ["A001"]
    assert floor.day.places["1"].state == "closed"
    assert floor.day.stream == "hall-1/2026-11-24"


def test_first_come_is_called_first_says_why(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:01:00 calls 1 -> A001 first 0
    """
    called = floor.facts(facts.TicketCalled)
    assert [fact.policy for fact in called] == ["first_come"]


# ── Every command ───────────────────────────────────────────────────────────


def test_every_command_has_a_rule_and_a_topic() -> None:
    assert set(effects.EFFECTS) == set(Command.__subclasses__())
    assert {effect.topic for effect in effects.EFFECTS.values()} <= set(facts.FACTS)
    assert set(commands.WINDOW_COMMANDS.values()) <= set(effects.EFFECTS)


TAGS = {shape: shape.__struct_config__.tag for shape in effects.EFFECTS}


@pytest.mark.parametrize("shape", list(effects.EFFECTS), ids=lambda s: s.__name__)
def test_an_empty_day_refuses_or_answers_every_command(shape: type[Command]) -> None:
    """No command can break a rule on a day on which nothing happened yet."""
    words: dict[str, object] = {
        "window": "1",
        "clerk": "c1",
        "item": "zonghe",
        "ticket": "A001",
        "level": Level.SATISFIED,
        "to": "2",
        "slot_at": "2026-11-24T02:00:00Z",
        "booking": "20261124-001",
        "from_at": "2026-11-23T01:00:00Z",
        "to_at": "2026-11-23T02:00:00Z",
        "reason": "emergency",
        "catalogue": msgspec.to_builtins(load(SAMPLE)),
    }
    fields = {name: words[name] for name in shape.__struct_fields__ if name in words}
    command = msgspec.convert({"command": TAGS[shape], **fields}, shape)
    floor = FloorDay()
    day = Day(floor.catalogue, floor.day.date)
    expected = {
        commands.TakeTicket: facts.TicketTaken,
        commands.OpenWindow: facts.WindowOpened,
        commands.CloseHall: facts.HallClosed,
        commands.DeclareOutage: facts.OutageDeclared,
        commands.PublishCatalogue: facts.CataloguePublished,
    }.get(shape, Refused)
    happened: object
    try:
        happened, *_ = effects.decide(command, day, floor.at("09:00:00"))
    except Refused as refusal:
        happened = refusal
    assert isinstance(happened, expected)


# ── Whether a command is the one that was carried out ───────────────────────


def test_the_same_command_again_is_known_and_another_is_not(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:00:02 calls 1
    """
    called = floor.entries[-1].fact
    assert effects.same(commands.CallNext(window="1"), called)
    assert not effects.same(commands.CallNext(window="2"), called)
    assert not effects.same(commands.RecallTicket(window="1"), called)
    taken = floor.entries[-2].fact
    assert effects.same(commands.TakeTicket(item="zonghe"), taken)
    assert not effects.same(commands.TakeTicket(item="shebao"), taken)
    assert not effects.same(commands.TakeTicket(item="zonghe", kind="care"), taken)


def test_a_call_by_hand_is_another_command_than_the_next_call(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 takes zonghe
    09:00:02 calls 1
    """
    by_policy = floor.entries[-1].fact
    by_hand = commands.CallTicket(window="1", ticket="A001")
    assert not effects.same(by_hand, by_policy)
    floor.play("09:00:03 no-show 1\n09:00:04 takes zonghe\n09:00:05 calls 1 A002")
    assert effects.same(
        commands.CallTicket(window="1", ticket="A002"), floor.entries[-1].fact
    )
    assert not effects.same(commands.CallNext(window="1"), floor.entries[-1].fact)
