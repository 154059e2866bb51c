"""Given a day, when a rule, then a fact or a refusal."""

import ast
from pathlib import Path

import msgspec
import pytest

from floor import commands, effects, facts, refusals, rules
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


def test_a_rule_changes_no_state(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    """
    before = floor.day.digest()
    fact = effects.decide(
        commands.CallNext(window="1"), floor.day, floor.at("09:01:00")
    )
    assert isinstance(fact, facts.TicketCalled)
    assert floor.day.digest() == before


# ── Each refusal ────────────────────────────────────────────────────────────

#: The refusal, the day that leads to it, the command, and both sentences.
REFUSED: list[tuple[type[Refused], str, Command, str, str]] = [
    (
        refusals.HallIsClosed,
        "17:00:00 closes-hall",
        commands.TakeTicket(item="zonghe"),
        "今天已闭厅，不再取号和叫号",
        "The hall is closed for today",
    ),
    (
        refusals.UnknownItem,
        "",
        commands.TakeTicket(item="feixing"),
        "没有“feixing”这个事项",
        "There is no service item 'feixing'",
    ),
    (
        refusals.UnknownWindow,
        "",
        commands.OpenWindow(window="99", clerk="c1"),
        "没有99号窗口",
        "There is no window '99'",
    ),
    (
        refusals.UnknownTicket,
        "",
        commands.AbandonTicket(ticket="A007"),
        "今天没有A007这个号",
        "There is no ticket 'A007' today",
    ),
    (
        refusals.WindowAlreadyOpen,
        "09:00:00 opens 1 c1",
        commands.OpenWindow(window="1", clerk="c2"),
        "1号窗口已由c1开窗",
        "Window 1 is already open under clerk c1",
    ),
    (
        refusals.ClerkElsewhere,
        "09:00:00 opens 1 c1",
        commands.OpenWindow(window="2", clerk="c1"),
        "c1已在1号窗口登录",
        "Clerk c1 is already signed in at window 1",
    ),
    (
        refusals.WindowNotOpen,
        "",
        commands.CallNext(window="1"),
        "1号窗口还没有开窗",
        "Window 1 is not open",
    ),
    (
        refusals.WindowOnPause,
        "09:00:00 opens 1\n09:00:01 pauses 1",
        commands.CallNext(window="1"),
        "1号窗口正在暂停，请先恢复",
        "Window 1 is on pause; resume first",
    ),
    (
        refusals.WindowNotPaused,
        "09:00:00 opens 1",
        commands.ResumeWindow(window="1"),
        "1号窗口没有暂停",
        "Window 1 is not on pause",
    ),
    (
        refusals.WindowBusy,
        "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1",
        commands.CallNext(window="1"),
        "1号窗口还有A001号未办结",
        "Window 1 still has ticket A001",
    ),
    (
        refusals.NobodyWaiting,
        "09:00:00 opens 1\n09:00:01 takes churujing",
        commands.CallNext(window="1"),
        "1号窗口没有人等候",
        "Nobody is waiting for window 1",
    ),
    (
        refusals.NothingCalled,
        "09:00:00 opens 1",
        commands.RecallTicket(window="1"),
        "1号窗口现在没有叫号",
        "Window 1 has no ticket in hand",
    ),
    (
        refusals.AlreadyStarted,
        "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1\n09:00:03 starts 1",
        commands.DeclareNoShow(window="1"),
        "A001号已在1号窗口办理",
        "Ticket A001 is already being served at window 1",
    ),
    (
        refusals.NotStarted,
        "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1",
        commands.FinishService(window="1"),
        "A001号还没有开始办理",
        "Service of ticket A001 has not started",
    ),
    (
        refusals.TicketNotHere,
        "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1",
        commands.StartService(window="1", ticket="A002"),
        "1号窗口现在办的是A001号，不是A002号",
        "Window 1 has ticket A001 in hand, not A002",
    ),
    (
        refusals.TicketNotWaiting,
        "09:00:01 takes zonghe\n09:00:02 abandons A001",
        commands.AbandonTicket(ticket="A001"),
        "A001号不在等候中",
        "Ticket A001 is not waiting",
    ),
    (
        refusals.ItemNotAtWindow,
        "09:00:00 opens 1\n09:00:01 takes churujing",
        commands.CallTicket(window="1", ticket="G001"),
        "1号窗口不办理G001号的事项",
        "Window 1 does not handle the item of ticket G001",
    ),
    (
        refusals.NotServedYet,
        "09:00:01 takes zonghe",
        commands.Evaluate(ticket="A001", level=Level.SATISFIED),
        "A001号还没有办结，办结后才能评价",
        "Ticket A001 has not been served yet; it can be rated afterwards",
    ),
    (
        refusals.NobodyToInvite,
        "09:00:00 opens 1",
        commands.InviteEvaluation(window="1"),
        "1号窗口还没有办结的号，无法邀评",
        "Window 1 has served nobody yet, so there is nobody to invite",
    ),
    (
        refusals.ServedElsewhere,
        """09:00:00 opens 1
        09:00:00 opens 2
        09:00:01 takes zonghe
        09:00:02 calls 1
        09:00:03 starts 1
        09:00:04 finishes 1""",
        commands.InviteEvaluation(window="2", ticket="A001"),
        "A001号是1号窗口办理的",
        "Ticket A001 was served at window 1",
    ),
    (
        refusals.AlreadyEvaluated,
        """09:00:00 opens 1
        09:00:01 takes zonghe
        09:00:02 calls 1
        09:00:03 starts 1
        09:00:04 finishes 1
        09:00:05 rates A001 satisfied""",
        commands.Evaluate(ticket="A001", level=Level.SATISFIED),
        "A001号已经评价过，谢谢",
        "Ticket A001 has been rated already",
    ),
]


@pytest.mark.parametrize(
    ("kind", "lines", "command", "zh", "en"),
    REFUSED,
    ids=[kind.__name__ for kind, *_ in REFUSED],
)
def test_a_refusal_has_both_sentences_and_changes_nothing(
    kind: type[Refused], lines: str, command: Command, zh: str, en: str
) -> None:
    floor = FloorDay().play(lines)
    before = floor.day.digest()
    with pytest.raises(Refused) as refused:
        floor.do(command, floor.at("17:30:00"))
    assert type(refused.value) is kind
    assert refused.value.code == kind.__name__
    assert refused.value.message == {"zh": zh, "en": en}
    assert str(refused.value) == en
    assert floor.day.digest() == before


def test_every_refusal_that_a_rule_can_give_stands_in_the_table() -> None:
    source = ast.parse(Path(rules.__file__).read_text(encoding="utf-8"))
    named = {
        node.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "refusals"
    }
    assert named == {kind.__name__ for kind, *_ in REFUSED}


WORDS_OF: dict[type[Refused], dict[str, object]] = {
    refusals.UnknownCommand: {"command": "dance"},
    refusals.BadInput: {"name": "item", "why": "太长"},
    refusals.TooLarge: {"limit": 16_384},
    refusals.NotAllowed: {"why_zh": "只读", "why": "read only"},
}


def test_every_refusal_of_the_doors_has_both_sentences_complete() -> None:
    of_rules = {kind for kind, *_ in REFUSED}
    ours = {k for k in Refused.__subclasses__() if k.__module__ == refusals.__name__}
    of_doors = ours - of_rules
    assert of_doors >= set(WORDS_OF)
    for kind in of_doors:
        refusal = kind(**WORDS_OF.get(kind, {}))
        assert set(refusal.message) == {"zh", "en"}
        for sentence in refusal.message.values():
            assert sentence
            assert "{" not in sentence
        assert any(ord(letter) > 0x4E00 for letter in refusal.message["zh"])
        assert refusal.message["en"].isascii() or kind is refusals.BadInput
        assert refusal.status in (403, 404, 409, 413, 422, 503)


@pytest.mark.parametrize(
    ("lines", "command", "kind"),
    [
        # A window's own refusals come in the order in which a clerk can mend them.
        ("", commands.PauseWindow(window="1"), refusals.WindowNotOpen),
        (
            "09:00:00 opens 1\n09:00:01 pauses 1",
            commands.PauseWindow(window="1"),
            refusals.WindowOnPause,
        ),
        (
            "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1",
            commands.PauseWindow(window="1"),
            refusals.WindowBusy,
        ),
        (
            "09:00:00 opens 1\n09:00:01 takes zonghe\n09:00:02 calls 1",
            commands.CloseWindow(window="1"),
            refusals.WindowBusy,
        ),
        ("", commands.CloseWindow(window="1"), refusals.WindowNotOpen),
        ("17:00:00 closes-hall", commands.CallNext(window="1"), refusals.HallIsClosed),
        ("17:00:00 closes-hall", commands.CloseHall(), refusals.HallIsClosed),
        (
            "17:00:00 closes-hall",
            commands.OpenWindow(window="1", clerk="c1"),
            refusals.HallIsClosed,
        ),
        (
            "09:00:00 opens 1\n09:00:01 opens 2\n09:00:02 takes zonghe\n"
            "09:00:03 calls 1",
            commands.CallTicket(window="2", ticket="A001"),
            refusals.TicketNotWaiting,
        ),
        (
            "09:00:00 opens 1\n09:00:02 takes zonghe\n09:00:03 calls 1",
            commands.AbandonTicket(ticket="A001"),
            refusals.TicketNotWaiting,
        ),
        (
            "09:00:00 opens 1\n09:00:02 takes zonghe\n09:00:03 calls 1\n"
            "09:00:04 starts 1",
            commands.StartService(window="1"),
            refusals.AlreadyStarted,
        ),
        (
            "09:00:00 opens 1\n09:00:02 takes zonghe\n09:00:03 calls 1\n"
            "09:00:04 starts 1",
            commands.RecallTicket(window="1"),
            refusals.AlreadyStarted,
        ),
        ("", commands.CallTicket(window="1", ticket=""), refusals.WindowNotOpen),
        (
            "09:00:00 opens 1",
            commands.CallTicket(window="1", ticket=""),
            refusals.UnknownTicket,
        ),
    ],
)
def test_other_ways_to_be_refused(
    lines: str, command: Command, kind: type[Refused]
) -> None:
    floor = FloorDay().play(lines)
    before = floor.day.digest()
    with pytest.raises(kind):
        floor.do(command, floor.at("18:00:00"))
    assert floor.day.digest() == before


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
