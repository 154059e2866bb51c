"""Why was I overtaken: each reason from a day, and the record against the rules."""

import random
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from floor import commands, facts, refusals
from floor.catalogue import Catalogue, load
from floor.day import Day
from floor.overtaken import Calls, NothingRecorded, recorded
from floor.policies import callable_lines
from floor.practice import BACK, Booking, Calling, CallPolicy, Ground, Standing
from floor.why import why
from timeline import SAMPLE, FloorDay

ELDERLY = Ground(id="laoren", name="老人", name_en="the elderly", kind="care")
CREDIT = CallPolicy(
    name="fixed_credit",
    appointment=Standing(credit_s=300),
    care=Standing(credit_s=600),
)


def hall(**words: Any) -> FloorDay:
    """A day of the sample hall under another practice."""
    return FloorDay(msgspec.structs.replace(load(SAMPLE), **words))


def told(floor: FloorDay, ticket: str, lang: Any = "zh") -> list[str]:
    """The sentences that overtook a ticket, as its visitor reads them."""
    day, calls = recorded(floor.entries, None)
    answer = why(day, calls, ticket, lang)
    for each in answer.overtaken:
        fact = floor.entries[each.position - 1].fact
        assert isinstance(fact, facts.TicketCalled)
        assert (fact.ticket, fact.window) == (each.ticket, each.window)
        assert each.at == fact.at.isoformat()
        assert each.because == fact.because
        assert each.sentence.endswith(each.reason)
    return [each.sentence for each in answer.overtaken]


def summary(floor: FloorDay, ticket: str, lang: Any = "zh") -> str:
    day, calls = recorded(floor.entries, None)
    return why(day, calls, ticket, lang).summary


def care(floor: FloorDay, at: str, item: str = "zonghe") -> str:
    """A ticket taken on a ground of the catalogue."""
    take = commands.TakeTicket(item=item, ground="laoren")
    fact = floor.do(take, floor.at(at))
    assert isinstance(fact, facts.TicketTaken)
    return fact.ticket


def booked(floor: FloorDay, slot: str, item: str = "zonghe") -> str:
    fact = floor.do(
        commands.BookAppointment(item=item, slot_at=floor.at(slot)),
        floor.at("08:00:00"),
    )
    assert isinstance(fact, facts.AppointmentBooked)
    return fact.booking


# ── Nobody overtook ─────────────────────────────────────────────────────────


def test_who_came_before_and_was_called_before_overtook_nobody(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:00:30 takes zonghe
    09:01:00 calls 1
    09:02:00 no-show 1
    09:03:00 calls 1
    """
    assert told(floor, "A003") == []
    assert summary(floor, "A003") == "在您之前叫的都是先到的"
    assert (
        summary(floor, "A003", "en") == "All who were called before you came before you"
    )
    assert summary(floor, "A001") == "您等候期间，能办您事项的窗口没有先叫过别人"
    day, calls = recorded(floor.entries, None)
    answer = why(day, calls, "A003", "zh")
    assert (answer.earlier, answer.elsewhere) == (2, 0)


def test_a_window_that_does_not_handle_my_item_is_only_counted(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 6
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:00:30 takes shebao
    09:01:00 calls 6
    09:02:00 calls 1
    """
    assert told(floor, "A002") == []
    assert summary(floor, "A002") == (
        "在您之前叫的都是先到的；不办您事项的窗口另叫了1次后到的号，与您的次序无关"
    )
    day, calls = recorded(floor.entries, None)
    assert why(day, calls, "A002", "zh").elsewhere == 1
    assert why(day, calls, "C001", "zh").elsewhere == 0


def test_what_was_called_before_i_came_or_after_my_own_call_is_not_mine(
    floor: FloorDay,
) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 2
    09:00:10 takes zonghe
    09:00:30 calls 1
    09:01:00 takes zonghe
    09:02:00 takes zonghe
    09:03:00 calls 2
    09:04:00 starts 1
    09:05:00 finishes 1
    09:06:00 calls 1
    """
    day, calls = recorded(floor.entries, None)
    for ticket, earlier in (("A001", 0), ("A002", 0), ("A003", 1)):
        answer = why(day, calls, ticket, "zh")
        assert (answer.overtaken, answer.earlier, answer.elsewhere) == ([], earlier, 0)


def test_a_call_that_was_taken_back_overtook_nobody(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:01:00 calls 1 A002 看错了
    09:01:10 undoes 1
    09:02:00 calls 1
    """
    assert told(floor, "A001") == []
    assert summary(floor, "A002") == "在您之前叫的都是先到的"


# ── Each reason ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("policy", "zh", "en"),
    [
        (
            CREDIT,
            "老人优先（照顾号提前10分钟计）",
            "priority for: the elderly (care tickets count as if 10 min earlier)",
        ),
        (
            CallPolicy(name="fixed_credit", care=Standing(credit_s=90)),
            "老人优先（照顾号提前90秒计）",
            "priority for: the elderly (care tickets count as if 90 s earlier)",
        ),
        (
            CallPolicy(name="strict", care=Standing(rank=2)),
            "老人优先（照顾号先于普通号）",
            "priority for: the elderly (care tickets go before ordinary tickets)",
        ),
        (
            CallPolicy(name="accumulating", care=Standing(rate=3)),
            "老人优先（照顾号等候时间按3倍计）",
            "priority for: the elderly (care tickets count their waiting 3 times)",
        ),
        (
            CallPolicy(name="accumulating", care=Standing(rate=3, credit_s=60)),
            "老人优先（照顾号等候时间按3倍计，提前1分钟计）",
            "priority for: the elderly (care tickets count their waiting 3 times and "
            "count as if 1 min earlier)",
        ),
    ],
)
def test_a_kind_that_goes_before(policy: CallPolicy, zh: str, en: str) -> None:
    floor = hall(policy=policy, grounds=(ELDERLY,))
    floor.play("09:00:00 opens 1\n09:00:10 takes zonghe")
    assert care(floor, "09:01:00") == "A002"
    floor.play("09:10:00 calls 1")
    assert told(floor, "A001") == [f"9:10 A002 先于您被叫到1号窗口：{zh}"]
    assert told(floor, "A001", "en") == [
        f"9:10 A002 was called to window 1 before you: {en}"
    ]
    assert summary(floor, "A001") == "您等候期间，有1次叫号没有按先来后到，原因如下"


def test_a_kind_without_a_ground_is_named_itself() -> None:
    floor = hall(policy=CREDIT)
    floor.play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:01:00 takes zonghe care
        09:05:00 calls 1
        """
    )
    assert told(floor, "A001") == [
        "9:05 A002 先于您被叫到1号窗口：照顾号先叫（照顾号提前10分钟计）"
    ]


def test_an_appointment_counts_by_its_slot() -> None:
    floor = hall(booking=Booking(quota=2, early_s=900))
    booking = booked(floor, "09:30:00")
    floor.play(
        f"""
        09:16:00 opens 1
        09:17:00 takes zonghe
        09:20:00 checks-in {booking}
        09:21:00 calls 1
        """
    )
    assert told(floor, "A001") == [
        "9:21 AP001 先于您被叫到1号窗口：预约号，按预约时段9:30计"
    ]
    assert told(floor, "A001", "en") == [
        "9:21 AP001 was called to window 1 before you: it counts by its appointment "
        "at 9:30"
    ]


def test_an_appointment_that_its_kind_lifts_says_both() -> None:
    floor = hall(booking=Booking(quota=2, early_s=0), policy=CREDIT)
    booking = booked(floor, "09:30:00")
    floor.play(
        f"""
        09:16:00 opens 1
        09:28:00 takes zonghe
        09:29:00 checks-in {booking}
        09:31:00 calls 1
        """
    )
    assert told(floor, "A001") == [
        "9:31 AP001 先于您被叫到1号窗口：预约号，按预约时段9:30计（预约号提前5分钟计）"
    ]


def test_a_late_appointment_waits_as_a_walk_in_with_a_credit() -> None:
    floor = hall(booking=Booking(quota=2, grace_s=60, late_credit_s=420))
    booking = booked(floor, "09:30:00")
    floor.play(
        f"""
        09:16:00 opens 1
        09:35:00 takes zonghe
        09:40:00 checks-in {booking}
        09:41:00 calls 1
        """
    )
    assert told(floor, "A001") == [
        "9:41 A002 先于您被叫到1号窗口：预约9:30，迟到，按9:33到达计"
    ]


def test_an_appointment_that_came_early_is_told_why_it_waits() -> None:
    floor = hall(booking=Booking(quota=2, early_s=900))
    booking = booked(floor, "10:00:00")
    floor.play(
        f"""
        09:00:00 opens 1
        09:00:00 checks-in {booking}
        09:10:00 takes zonghe
        09:11:00 calls 1
        """
    )
    assert told(floor, "AP001") == [
        "9:11 A001 先于您被叫到1号窗口：您是预约号，按预约时段10:00计"
    ]


def test_back_from_a_no_show_in_front() -> None:
    floor = hall(calling=Calling(return_place=0))
    floor.play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:00:20 takes zonghe
        09:01:00 calls 1
        09:02:00 no-show 1
        09:03:00 requeues A001
        09:04:00 calls 1
        """
    )
    assert told(floor, "A002") == ["9:04 A001 先于您被叫到1号窗口：过号恢复，排在前面"]
    assert told(floor, "A001") == []


def test_back_from_a_no_show_behind_others_overtakes_nobody() -> None:
    floor = hall(calling=Calling(return_place=BACK))
    floor.play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:00:20 takes zonghe
        09:01:00 calls 1
        09:02:00 no-show 1
        09:03:00 requeues A001
        09:04:00 calls 1
        09:05:00 starts 1
        09:06:00 finishes 1
        """
    )
    assert told(floor, "A002") == []
    # What came while A001 was away came before it: it has arrived anew.
    assert told(floor, "A001") == []
    assert summary(floor, "A001") == "在您之前叫的都是先到的"


def test_given_back_by_a_window_that_closes() -> None:
    floor = hall(policy=CREDIT)
    floor.play(
        """
        09:00:00 opens 1
        09:00:00 opens 2
        09:00:10 takes zonghe
        09:00:20 takes zonghe
        09:01:00 calls 1 A002 急
        """
    )
    close = commands.CloseWindow(window="1", give_back=True)
    floor.do(close, floor.at("09:02:00"))
    floor.play("09:03:00 calls 2")
    assert told(floor, "A001") == [
        "9:01 A002 先于您被叫到1号窗口：指定呼叫：急",
        "9:03 A002 先于您被叫到2号窗口：1号窗口关窗退回，排在前面",
    ]


def test_transferred_to_the_front(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 6
    09:00:10 takes zonghe
    09:00:20 takes shebao
    09:01:00 calls 6
    """
    send = commands.TransferTicket(window="6", item="zonghe", front=True)
    floor.do(send, floor.at("09:02:00"))
    floor.play("09:03:00 calls 1")
    assert told(floor, "A001") == [
        "9:03 C001 先于您被叫到1号窗口：由6号窗口转来，排在前面"
    ]


def test_transferred_to_the_back_overtakes_nobody(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 6
    09:00:10 takes shebao
    09:00:20 takes zonghe
    09:01:00 calls 6
    09:02:00 transfers 6 zonghe
    09:02:30 takes zonghe
    09:03:00 calls 1
    09:04:00 no-show 1
    09:05:00 calls 1
    """
    assert floor.day.places["1"].ticket == "C001"
    assert told(floor, "A001") == []
    assert told(floor, "A002") == []
    assert told(floor, "C001") == [], "It arrived in this line after A001."


def test_sent_to_a_window_of_its_own() -> None:
    """Among those that a window may call, the sent one is not always the oldest."""
    floor = hall(policy=CREDIT)
    floor.play(
        """
        09:00:00 opens 1
        09:00:00 opens 6
        09:00:10 takes shebao care
        09:01:00 takes zonghe
        09:02:00 calls 6
        """
    )
    send = commands.TransferTicket(window="6", to_window="1")
    floor.do(send, floor.at("09:03:00"))
    floor.play("09:04:00 calls 1")
    assert told(floor, "A001") == [
        "9:04 C001 先于您被叫到1号窗口：由6号窗口转来，指定由1号窗口办理"
    ]


def test_an_item_that_weighs_more_at_this_window() -> None:
    sample = load(SAMPLE)
    windows = tuple(
        msgspec.structs.replace(w, weights={"minsheng": 50} if w.id == "1" else {})
        for w in sample.windows
    )
    floor = hall(windows=windows)
    floor.play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:00:20 takes minsheng
        09:05:00 calls 1
        """
    )
    assert told(floor, "A001") == [
        "9:05 P001 先于您被叫到1号窗口：1号窗口优先办理“水电气报装”"
    ]
    assert told(floor, "A001", "en") == [
        "9:05 P001 was called to window 1 before you: window 1 takes Water, power and "
        "gas connection first"
    ]


@pytest.mark.parametrize(
    ("reason", "zh", "en"),
    [
        ("急", "指定呼叫：急", "chosen by hand: 急"),
        ("", "指定呼叫，未写明理由", "chosen by hand, without a reason given"),
    ],
)
def test_chosen_by_hand(reason: str, zh: str, en: str) -> None:
    floor = hall()
    floor.play("09:00:00 opens 1\n09:00:10 takes zonghe\n09:00:20 takes zonghe")
    floor.play(f"09:01:00 calls 1 A002 {reason}")
    assert told(floor, "A001") == [f"9:01 A002 先于您被叫到1号窗口：{zh}"]
    assert told(floor, "A001", "en") == [
        f"9:01 A002 was called to window 1 before you: {en}"
    ]


def test_put_off_at_ones_own_wish() -> None:
    floor = hall(calling=Calling(defer_place=BACK))
    floor.play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:00:20 takes zonghe
        09:01:00 defers A001
        09:02:00 calls 1
        """
    )
    assert told(floor, "A001") == ["9:02 A002 先于您被叫到1号窗口：您选择了延后"]


def test_a_log_of_before_reasons_were_kept_says_so(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    """
    at = floor.at("09:01:00")
    floor.happen(
        facts.TicketCalled(
            at=at, ticket="A002", window="1", clerk="c1", policy="first_come"
        ),
        floor.day.date,
    )
    assert told(floor, "A001") == ["9:01 A002 先于您被叫到1号窗口：记录中没有写明原因"]


def test_a_clerk_who_moves_calls_from_the_new_window(floor: FloorDay) -> None:
    """
    09:00:00 opens 6 c6
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:01:00 moves 6 1
    09:02:00 calls 1 A002 急
    """
    assert told(floor, "A001") == ["9:02 A002 先于您被叫到1号窗口：指定呼叫：急"]


# ── Asked wrongly, or of another day ────────────────────────────────────────


def test_a_ticket_that_is_not_of_this_day_is_refused(floor: FloorDay) -> None:
    """
    09:00:00 takes zonghe
    +1 09:00:00 takes shebao
    """
    day, calls = recorded(floor.entries, None)
    with pytest.raises(refusals.UnknownTicket):
        why(day, calls, "A001", "zh")
    assert why(day, calls, "C001", "zh").overtaken == []


def test_each_day_is_asked_for_by_its_date(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:10 takes zonghe
    09:00:20 takes zonghe
    09:01:00 calls 1 A002 急
    +1 09:00:00 takes zonghe
    +2 09:00:00 takes zonghe
    """
    monday = floor.day.date - timedelta(days=2)
    day, calls = recorded(floor.entries, monday)
    assert day.date == monday
    assert len(why(day, calls, "A001", "zh").overtaken) == 1
    for later in (1, 2):
        day, calls = recorded(floor.entries, monday + timedelta(days=later))
        assert day.date == monday + timedelta(days=later)
        assert why(day, calls, "A001", "zh").overtaken == []
    for missing in (-1, 3):
        with pytest.raises(NothingRecorded):
            recorded(floor.entries, monday + timedelta(days=missing))


# ── Against the rules themselves ────────────────────────────────────────────


def rich() -> Catalogue:
    """A small hall in which everything that moves a ticket is allowed."""
    sample = load(SAMPLE)
    items = tuple(i for i in sample.items if i.id in ("zonghe", "minsheng", "xuke"))
    windows = tuple(
        msgspec.structs.replace(w, items=("zonghe", "minsheng"), **extra)
        for w, extra in zip(
            sample.windows[:3],
            ({}, {"weights": {"minsheng": 3}}, {"helps": {"xuke": 2}}),
            strict=True,
        )
    )
    fourth = msgspec.structs.replace(sample.windows[3], items=("xuke",))
    return msgspec.structs.replace(
        sample,
        items=items,
        windows=(*windows, fourth),
        policy=CREDIT,
        grounds=(ELDERLY,),
        calling=Calling(
            return_place=1, defer_place=1, returns_max=99, defers_max=99, undo_s=9999
        ),
        booking=Booking(quota=9),
    )


def step(chance: random.Random, floor: FloorDay) -> commands.Command:
    """Something that somebody might press."""
    window = chance.choice("1234")
    waiting = [t.id for t in floor.day.tickets.values() if t.state == "waiting"]
    missed = [t.id for t in floor.day.tickets.values() if t.state == "no_show"]
    some = chance.choice(waiting) if waiting else "A999"
    item = chance.choice(("zonghe", "minsheng", "xuke"))
    booking = chance.choice([*floor.day.bookings.by_id, "20261123-999"])
    slot = floor.at(f"{chance.choice((9, 10, 11))}:00:00")
    return chance.choice(
        [
            *[commands.TakeTicket(item=item)] * 5,
            commands.TakeTicket(item=item, ground="laoren"),
            *[commands.CallNext(window=window)] * 5,
            commands.CallTicket(window=window, ticket=some),
            commands.UndoCall(window=window),
            *[commands.DeclareNoShow(window=window)] * 2,
            *[commands.RequeueTicket(ticket=t) for t in missed[:2]],
            commands.DeferTicket(ticket=some),
            commands.AbandonTicket(ticket=some),
            *[commands.StartService(window=window)] * 2,
            *[commands.FinishService(window=window)] * 2,
            commands.FinishService(window=window, item=item),
            commands.HoldTicket(window=window),
            commands.ReturnTicket(window=window),
            commands.TransferTicket(window=window, item=item, front=True),
            commands.TransferTicket(window=window, item=item),
            commands.TransferTicket(window=window, to_window=chance.choice("1234")),
            commands.TransferTicket(window=window, to_clerk=f"c{window}"),
            *[commands.OpenWindow(window=window, clerk=f"c{window}")] * 2,
            commands.CloseWindow(window=window, give_back=True),
            commands.MoveClerk(window=window, to=chance.choice("1234")),
            commands.BookAppointment(item=item, slot_at=slot),
            commands.CheckIn(booking=booking),
        ]
    )


class Watched:
    """By the rules' own eyes, and before each call: who could have been called."""

    def __init__(self) -> None:
        self.came: dict[str, int] = {}
        self.overtaken: dict[str, list[int]] = {}
        self.earlier: dict[str, int] = {}
        self.elsewhere: dict[str, int] = {}
        self._last: dict[str, tuple[int, list[str], list[str], list[str]]] = {}

    def see(self, before: Day, fact: facts.Fact) -> None:
        ticket = getattr(fact, "ticket", "")
        missed = ticket in before.tickets and before.tickets[ticket].state == "no_show"
        if isinstance(
            fact,
            facts.TicketTaken
            | facts.AppointmentCheckedIn
            | facts.TicketTransferred
            | facts.TicketContinued,
        ) or (isinstance(fact, facts.TicketRequeued) and missed):
            self.came[ticket] = fact.position
        if isinstance(fact, facts.TicketCalled):
            self._call(before, fact)
        if isinstance(fact, facts.CallUndone):
            position, over, earlier, elsewhere = self._last.pop(fact.ticket)
            for id in over:
                self.overtaken[id].remove(position)
            for id in earlier:
                self.earlier[id] -= 1
            for id in elsewhere:
                self.elsewhere[id] -= 1

    def _call(self, before: Day, fact: facts.TicketCalled) -> None:
        over: list[str] = []
        earlier: list[str] = []
        elsewhere: list[str] = []
        lines = {id for id, *_ in callable_lines(before, before.places[fact.window])}
        for mine in before.tickets.values():
            if mine.state != "waiting" or mine.id == fact.ticket:
                continue
            later = self.came[fact.ticket] > self.came[mine.id]
            if mine.line not in lines:
                if later:
                    elsewhere.append(mine.id)
            elif later:
                over.append(mine.id)
            else:
                earlier.append(mine.id)
        for id in over:
            self.overtaken.setdefault(id, []).append(fact.position)
        for id in earlier:
            self.earlier[id] = self.earlier.get(id, 0) + 1
        for id in elsewhere:
            self.elsewhere[id] = self.elsewhere.get(id, 0) + 1
        self._last[fact.ticket] = (fact.position, over, earlier, elsewhere)


class WatchedDay(FloorDay):
    """A day whose facts are seen before they happen, and heard after."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(catalogue)
        self.watched, self.live = Watched(), Calls()

    def happen(self, fact: facts.Fact, date: date, command: str = "") -> None:
        position = self.entries[-1].position + 1
        self.watched.see(self.day, msgspec.structs.replace(fact, position=position))
        super().happen(fact, date, command)
        self.live.hear(self.day, self.entries[-1])


@pytest.mark.parametrize("seed", range(12))
def test_the_record_agrees_with_the_rules_on_any_day(seed: int) -> None:
    chance = random.Random(seed)
    floor = WatchedDay(rich())
    at = floor.at("08:30:00")
    for _ in range(400):
        at += timedelta(seconds=chance.randrange(1, 60))
        with suppress(refusals.Refused):
            floor.do(step(chance, floor), at)
    day, calls = recorded(floor.entries, None)
    overtaken = 0
    for ticket in day.tickets:
        for record in (floor.live, calls):
            answer = record.answer(ticket)
            positions = [each.call.position for each in answer.overtaken]
            assert positions == floor.watched.overtaken.get(ticket, []), ticket
            assert answer.earlier == floor.watched.earlier.get(ticket, 0), ticket
            assert answer.elsewhere == floor.watched.elsewhere.get(ticket, 0), ticket
        overtaken += len(answer.overtaken)
        # Each has a sentence in both languages, whatever happened.
        for lang in ("zh", "en"):
            told(floor, ticket, lang)
    assert overtaken > 20, "The day was too quiet to show anything."
