"""Windows and the hall: signing in, moving, leaving, closing, and starting again."""

import pytest

from floor import facts
from floor.catalogue import Hours
from floor.practice import Calling, PauseReason
from timeline import hall

SERVING = "09:00 opens 1\n09:00 takes a\n09:01 calls 1\n09:02 starts 1\n"


# ── Signing in, pausing ─────────────────────────────────────────────────────


def test_signing_in_lands_on_pause_where_the_hall_says_so() -> None:
    floor = hall(calling=Calling(opens_paused=True)).play(
        "09:00 takes a\n09:00 opens 1 -> 1\n09:00 calls 1 ! WindowOnPause"
    )
    place = floor.day.places["1"]
    assert (place.state, place.clerk, place.reason) == ("paused", "c1", "登录")
    opened, paused = floor.entries[-2:]
    assert isinstance(paused.fact, facts.WindowPaused)
    assert paused.fact.approved
    assert (opened.fact.command, paused.fact.command) == ("t3", "")
    floor.play("09:01 resumes 1\n09:01 calls 1 -> A001")
    floor = hall().play("09:00 opens 1")
    assert floor.day.places["1"].state == "free"


def test_a_pause_for_an_approved_reason_says_so() -> None:
    pauses = (
        PauseReason(name="系统维护", name_en="Maintenance", approved=True),
        PauseReason(name="取材料", name_en="Papers"),
    )
    floor = hall(pauses=pauses).play("09:00 opens 1")
    for reason in ("系统维护", "取材料", "喝茶", ""):
        floor.play(f"09:01 pauses 1 {reason}\n09:02 resumes 1")
    paused = [(f.reason, f.approved) for f in floor.facts(facts.WindowPaused)]
    assert paused == [
        ("系统维护", True),
        ("取材料", False),
        ("喝茶", False),
        ("", False),
    ]


def test_whoever_stands_in_for_another_says_for_whom() -> None:
    """AB角: the B role sits at the window in the place of the A role."""
    floor = hall().play("09:00 opens 1 wang substitutes=li\n09:00 opens 2 zhao")
    opened = floor.facts(facts.WindowOpened)
    assert [(f.clerk, f.substitutes) for f in opened] == [("wang", "li"), ("zhao", "")]
    assert floor.day.places["1"].clerk == "wang"


# ── Leaving ─────────────────────────────────────────────────────────────────


def test_a_clerk_who_leaves_gives_back_all_tickets_in_their_order() -> None:
    """In hand first, then those on hold as they were put; all before who waits."""
    floor = hall().play(
        """
        09:00 opens 1
        09:00 takes a
        09:00 takes a
        09:00 takes a
        09:00 takes a
        09:01 calls 1 -> A001
        09:01 starts 1
        09:01 holds 1
        09:02 calls 1 -> A002
        09:02 starts 1
        09:02 holds 1
        09:03 calls 1 -> A003
        09:04 closes 1 ! WindowBusy
        09:04 closes 1 give_back=true -> 1
        """
    )
    assert floor.line("a") == ["A003", "A001", "A002", "A004"]
    back = floor.facts(facts.TicketRequeued)
    assert [(f.ticket, f.place, f.window, f.command) for f in back] == [
        ("A002", 0, "1", ""),
        ("A001", 0, "1", ""),
        ("A003", 0, "1", ""),
    ]
    place = floor.day.places["1"]
    assert (place.state, place.ticket, place.held) == ("closed", "", ())
    # Nobody was absent, so none of it counts as coming back.
    assert {ticket.returns for ticket in floor.day.tickets.values()} == {0}
    floor.play("09:05 opens 3\n09:05 calls 3 -> A003 placed 0")


def test_a_ticket_given_back_goes_before_later_ones_of_other_items_too() -> None:
    """Its own line is empty, but it came before whoever waits for b."""
    floor = hall().play(
        f"{SERVING}\n09:03 takes b\n09:04 closes 1 give_back=true\n09:05 opens 1"
    )
    floor.play("09:06 calls 1 -> A001 first 0")


def test_giving_back_with_empty_hands_is_just_closing() -> None:
    floor = hall().play("09:00 opens 1\n09:01 closes 1 give_back=true -> 1")
    assert floor.facts(facts.TicketRequeued) == []


def test_tickets_sent_to_a_window_that_are_given_back_wait_for_any() -> None:
    floor = hall().play(
        """
        09:00 opens 1
        09:00 opens 2
        09:00 takes a
        09:00 takes a
        09:01 calls 1
        09:01 transfers 1 to_window=2 front=true
        09:02 calls 2 -> A001
        09:03 closes 2 give_back=true
        """
    )
    assert floor.line("a") == ["A001", "A002"]


# ── Moving ──────────────────────────────────────────────────────────────────


def test_a_clerk_moves_with_the_tickets_in_hand_and_on_hold() -> None:
    floor = hall().play(
        f"""{SERVING}
        09:02 takes a
        09:03 holds 1
        09:04 calls 1 -> A002
        09:05 starts 1
        09:06 moves 1 2
        """
    )
    left, place = floor.day.places["1"], floor.day.places["2"]
    assert (left.state, left.clerk, left.ticket, left.held) == ("closed", "", "", ())
    assert (place.state, place.clerk, place.ticket) == ("serving", "c1", "A002")
    assert (place.held, place.items) == (("A001",), ("b",))
    assert {t.window for t in floor.day.tickets.values()} == {"2"}
    floor.play(
        """
        09:07 finishes 1 ! WindowNotOpen
        09:07 finishes 2 -> A002
        09:08 returns 2 -> A001
        09:09 transfers 2 to_window=1 ! WindowNotOpen
        09:09 finishes 2 -> A001
        09:10 rates A001 satisfied
        09:11 opens 1 c9
        """
    )
    (rated,) = floor.facts(facts.EvaluationGiven)
    assert rated.window == "2"


def test_a_clerk_on_pause_is_on_pause_at_the_new_window() -> None:
    floor = hall().play("09:00 opens 1\n09:01 pauses 1 取材料\n09:02 moves 1 3")
    place = floor.day.places["3"]
    assert (place.state, place.reason) == ("paused", "取材料")
    floor.play("09:03 takes c\n09:04 resumes 3\n09:04 calls 3 -> C001")


# ── Closing the hall and opening it again ───────────────────────────────────


def test_closing_ends_also_what_is_on_hold_and_what_was_sent_somewhere() -> None:
    floor = hall().play(
        f"""{SERVING}
        09:02 opens 2
        09:02 takes a
        09:02 takes a
        09:03 holds 1
        09:03 calls 1
        09:04 transfers 1 to_window=2
        17:00 closes-hall
        """
    )
    assert floor.states() == dict.fromkeys(["A001", "A002", "A003"], "closed")
    assert floor.day.state()["lines"] == {}
    assert all(place.held == () for place in floor.day.places.values())


def test_a_hall_closed_too_early_goes_on_but_its_tickets_stay_closed() -> None:
    floor = hall().play(
        """
        09:00 opens 1
        09:00 takes a person=1
        11:00 closes-hall
        11:05 reopens-hall 误操作
        11:05 reopens-hall ! HallNotClosed
        11:06 calls 1 ! WindowNotOpen
        11:06 opens 1
        11:06 calls 1 ! NobodyWaiting
        11:07 takes a person=1 -> A002
        11:08 calls 1 -> A002
        17:00 closes-hall
        """
    )
    assert floor.states() == {"A001": "closed", "A002": "closed"}
    (reopened,) = floor.facts(facts.HallReopened)
    assert reopened.reason == "误操作"


@pytest.mark.parametrize(
    ("hours", "clock", "until"),
    [
        (Hours(), "11:00", "17:00"),
        (Hours(lunch=("12:00", "13:00")), "12:30", "17:00"),
        (Hours(), "16:59:59", "17:00"),
        (Hours(), "17:00", ""),
        (Hours(), "18:00", ""),
        (Hours(days=("sun",)), "11:00", ""),
    ],
)
def test_in_an_emergency_the_rest_of_the_day_is_nobodys_fault(
    hours: Hours, clock: str, until: str
) -> None:
    floor = hall(hours=hours).play("09:00 takes a")
    floor.play(f"{clock} closes-hall emergency")
    assert floor.day.closed
    outages = floor.facts(facts.OutageDeclared)
    told = [(f.from_at, f.to_at, f.reason) for f in outages]
    spans = [(floor.at(clock), floor.at(until), "emergency")] if until else []
    assert told == spans
    (closed,) = floor.facts(facts.HallClosed)
    assert closed.reason == "emergency"


def test_an_outage_lies_on_this_day_and_lasts_a_day_at_most() -> None:
    floor = hall().play(
        """
        12:00 breaks 09:00 10:30 网络 中断
        12:00 breaks 00:00 +1/00:00 停电
        12:00 breaks 23:59:59 +1/00:00 停电
        12:00 breaks 00:00 +1/00:00:01 停电 ! BadOutage
        12:00 breaks +1/00:00 +1/01:00 停电 ! BadOutage
        12:00 breaks -1/23:59 01:00 停电 ! BadOutage
        17:00 closes-hall
        17:05 breaks 15:00 16:00 停电
        """
    )
    first = floor.facts(facts.OutageDeclared)[0]
    assert (first.from_at, first.to_at) == (floor.at("09:00"), floor.at("10:30"))
    assert first.reason == "网络 中断"
