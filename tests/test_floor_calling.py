"""Who is called next, and why: policies, weights, help, and calls by hand."""

from typing import Any

import pytest

from floor import facts
from floor.practice import Booking, CallPolicy, Standing
from timeline import FloorDay, hall, windows

#: Each winner is worked out by hand: urgency is rate * age + credit, in seconds.
POLICIES: list[tuple[str, CallPolicy, str]] = [
    (
        "first come, first served, whatever the kind",
        CallPolicy(care=Standing(rate=9, credit_s=900, rank=9)),
        """
        09:00:00 takes a
        09:00:01 takes b care
        09:00:02 takes a priority
        09:10:00 calls 1 -> A001 first 0
        09:10:00 calls 2 -> B001 first 0
        09:10:00 calls 3 -> A002 first 0
        """,
    ),
    (
        "a credit counts from its second on: 600 + 599 > 1198",
        CallPolicy(name="fixed_credit", care=Standing(credit_s=600)),
        """
        09:00:00 takes a
        09:09:59 takes a care
        09:19:58 calls 1 -> A002 kind 1
        09:19:59 calls 3 -> A001 first 0
        """,
    ),
    (
        "with a credit that makes it equal, the earlier goes first: 1200 = 600 + 600",
        CallPolicy(name="fixed_credit", care=Standing(rate=9, credit_s=600, rank=9)),
        """
        09:00:00 takes a
        09:10:00 takes a care
        09:20:00 calls 1 -> A001 first 0
        09:20:00 calls 3 -> A002 first 0
        """,
    ),
    (
        "credits differ by kind: 300 + 900 > 600 + 590 > 1180 > 0",
        CallPolicy(
            name="fixed_credit",
            priority=Standing(credit_s=590),
            care=Standing(credit_s=900),
        ),
        """
        09:00:20 takes a
        09:10:00 takes a priority
        09:15:00 takes a care
        09:20:00 takes a
        09:20:00 calls 1 -> A003 kind 2
        09:20:00 calls 3 -> A002 kind 1
        09:20:01 undoes 3 -> A002
        09:20:01 undoes 1 -> A003
        09:20:01 calls 3 -> A003 kind 2
        09:20:01 calls 1 -> A002 kind 1
        """,
    ),
    (
        "twice the rate is equal at 720 = 2 * 360, and the earlier goes first",
        CallPolicy(name="accumulating", care=Standing(rate=2)),
        """
        09:00:00 takes a
        09:06:00 takes a care
        09:12:00 calls 1 -> A001 first 0
        09:12:00 calls 3 -> A002 first 0
        """,
    ),
    (
        "a second later 2 * 361 > 721",
        CallPolicy(name="accumulating", care=Standing(rate=2, rank=0)),
        """
        09:00:00 takes a
        09:06:00 takes a care
        09:12:01 calls 1 -> A002 kind 1
        """,
    ),
    (
        "accumulating has an offset too: 60 + 241 > 300, but 3 * 60 + 100 < 300",
        CallPolicy(
            name="accumulating",
            priority=Standing(rate=3, credit_s=100),
            care=Standing(credit_s=241),
        ),
        """
        09:00:00 takes a
        09:04:00 takes a priority
        09:04:00 takes a care
        09:05:00 calls 1 -> A003 kind 2
        09:05:00 calls 3 -> A001 first 0
        """,
    ),
    (
        "a higher rank goes before all of a lower one, however long they wait",
        CallPolicy(
            name="strict",
            priority=Standing(rank=1),
            care=Standing(rank=2, rate=9, credit_s=900),
        ),
        """
        09:00:00 takes a
        09:00:01 takes a priority
        09:00:02 takes a
        11:00:00 takes a care
        11:00:01 takes a care
        11:00:02 takes a priority
        11:00:03 opens 4
        11:00:03 opens 5
        11:00:03 opens 6
        11:00:05 calls 1 -> A004 kind 3
        11:00:05 calls 3 -> A005 kind 3
        11:00:05 calls 4 -> A002 kind 1
        11:00:05 calls 5 -> A006 kind 2
        11:00:05 calls 6 -> A001 first 0
        """,
    ),
]


@pytest.mark.parametrize(
    ("policy", "lines"), [case[1:] for case in POLICIES], ids=[c[0] for c in POLICIES]
)
def test_the_policy_calls_whom_a_hand_would_work_out(
    policy: CallPolicy, lines: str
) -> None:
    floor = crowd(policy)
    floor.play(lines)
    called = floor.facts(facts.TicketCalled)
    assert {fact.policy for fact in called} == {policy.name}


def crowd(policy: CallPolicy, **weights: Any) -> FloorDay:
    """A hall with three more windows like the third, and three that are open."""
    more = tuple(
        type(window)(id=id, name="多", name_en="More", department="x", items=("a", "c"))
        for id, window in zip("456", windows(), strict=True)
    )
    floor = hall(policy=policy, windows=windows(**weights) + more)
    return floor.play("08:59 opens 1\n08:59 opens 2\n08:59 opens 3")


def test_who_is_due_earlier_by_credit_is_ahead_of_a_visitor_who_came_earlier() -> None:
    """What a visitor reads on the phone is what the windows will do."""
    floor = crowd(CallPolicy(name="fixed_credit", care=Standing(credit_s=600)))
    floor.play("09:00 takes a\n09:01 takes a\n09:05 takes a care\n09:15 takes a care")
    ahead = {t.id: floor.day.ahead(t) for t in floor.day.tickets.values()}
    assert ahead == {"A003": 0, "A001": 1, "A002": 2, "A004": 3}
    assert floor.line("a") == sorted(ahead, key=ahead.__getitem__)
    floor.play("09:16 calls 1 -> A003")
    assert floor.day.ahead(floor.day.tickets["A003"]) == 0


# ── Weights and help ────────────────────────────────────────────────────────


def test_an_item_with_twice_the_weight_is_called_from_twice_its_age_on() -> None:
    """At 600 = 2 * 300 the earlier goes first; a second later 601 < 2 * 301."""
    lines = "09:00 takes a\n09:05 takes b\n"
    weighted: dict[str, Any] = {"w1": {"weights": {"b": 2}}}
    floor = crowd(CallPolicy(), **weighted).play(lines)
    floor.play("09:10:00 calls 1 -> A001 first 0")
    floor = crowd(CallPolicy(), **weighted).play(lines)
    floor.play("09:10:01 calls 1 -> B001 weight 1")
    floor.play("09:10:02 calls 3 -> A001 first 0")


def test_weight_and_not_kind_is_the_reason_when_a_mere_kind_would_not_do() -> None:
    """Care: 600 + 600; the normal one 5 * 360 at this window, and 360 elsewhere."""
    policy = CallPolicy(name="fixed_credit", care=Standing(credit_s=600))
    floor = crowd(policy, w1={"weights": {"b": 5}})
    floor.play("09:00 takes a care\n09:04 takes b")
    floor.play("09:10 calls 1 -> B001 weight 1")
    floor = crowd(policy, w1={"weights": {"b": 5}})
    floor.play("09:00 takes a\n09:04 takes b care\n09:10 calls 1 -> B001 kind 1")


def test_no_weight_makes_a_ticket_less_urgent_before_its_time() -> None:
    """Both are due at 09:45; neither is later for it at a window that weighs it."""
    floor = hall(
        booking=Booking(quota=1), windows=windows(w1={"weights": {"b": 9}})
    ).play(
        """
        09:00 opens 1
        09:00 books b 10:00
        09:00 books a 10:00
        09:01 checks-in 20261123-001
        09:02 checks-in 20261123-002
        09:03 calls 1 -> BP001 first 0
        """
    )
    assert floor.line("a") == ["AP001"]


def test_a_window_helps_from_the_number_waiting_that_the_hall_says() -> None:
    """溢出支援: two for advice are enough, one is not."""
    floor = hall(windows=windows(w2={"helps": {"c": 2}}))
    floor.play(
        """
        09:00 opens 2
        09:00 takes c
        09:01 calls 2 ! NobodyWaiting
        09:01 calls 2 C001 ! ItemNotAtWindow
        09:02 takes c
        09:03 calls 2 -> C001 first 0
        09:04 no-show 2
        09:05 calls 2 ! NobodyWaiting
        09:06 takes c
        09:07 takes b
        09:08 calls 2 C003 -> C003 by_hand 1
        09:09 no-show 2
        09:10 calls 2 -> B001 first 0
        """
    )


def test_a_window_that_always_helps_does_so_for_a_single_visitor() -> None:
    floor = hall(windows=windows(w2={"helps": {"c": 0}, "weights": {"c": 3}}))
    floor.play(
        "09:00 opens 2\n09:00 takes b\n09:01 takes c\n09:10 calls 2 -> C001 weight 1"
    )


# ── By hand ─────────────────────────────────────────────────────────────────


def test_a_call_by_hand_says_how_many_of_all_its_lines_were_passed() -> None:
    floor = hall().play(
        """
        09:00 opens 1
        09:01 takes a
        09:02 takes b
        09:03 takes c
        09:04 takes b
        09:05 takes a
        09:06 calls 1 B002 老人 先办 -> B002 by_hand 2
        """
    )
    (called,) = floor.facts(facts.TicketCalled)
    assert (called.policy, called.reason) == ("by_hand", "老人 先办")


def test_who_was_passed_is_called_as_the_first() -> None:
    hall().play(
        """
        09:00 opens 1
        09:00 opens 3
        09:01 takes a
        09:02 takes a
        09:03 calls 1 A002 -> A002 by_hand 1
        09:04 calls 3 -> A001 first 0
        """
    )


# ── Who stands where ────────────────────────────────────────────────────────


def test_a_call_taken_back_leaves_everybody_where_they_stood() -> None:
    """Also of those who were put there, and stand directly behind each other."""
    floor = hall().play(
        """
        09:00 opens 1
        09:00 opens 3
        09:01 takes a
        09:01 takes a
        09:01 takes a
        09:02 calls 1 -> A001
        09:02 no-show 1
        09:02 calls 1 -> A002
        09:02 no-show 1
        09:03 requeues A001 0
        09:04 requeues A002 1
        """
    )
    assert floor.line("a") == ["A001", "A002", "A003"]
    for ticket in ("A001", "A002", "A003", "A002"):
        floor.play(f"09:05 calls 1 {ticket}\n09:05 undoes 1 -> {ticket}")
        assert floor.line("a") == ["A001", "A002", "A003"]
    floor.play("09:06 calls 3 A002\n09:06 calls 1 -> A001\n09:06:30 undoes 1")
    floor.play("09:06:30 undoes 3")
    assert floor.line("a") == ["A001", "A002", "A003"]
    # Whoever keeps an own place is first; who was given one, is there by it.
    floor.play("09:07 calls 1 -> A001 first\n09:07 calls 3 -> A002 placed 0")


@pytest.mark.parametrize("name", ["first_come", "fixed_credit", "accumulating"])
def test_a_call_can_be_undone_under_each_policy(name: Any) -> None:
    policy = CallPolicy(name=name, care=Standing(rate=3, credit_s=300, rank=1))
    floor = crowd(policy).play(
        "09:00 takes a\n09:05 takes a care\n09:06 takes a\n09:07 takes a care"
    )
    floor.play("09:08 calls 1 A002\n09:08 undoes 1\n09:08 calls 1 A003")
    before = floor.line("a")
    floor.play("09:08 calls 3\n09:08 undoes 3")
    assert floor.line("a") == before
    floor.play("09:08 undoes 1")
    assert len(floor.line("a")) == 4


def test_an_undone_call_is_no_longer_shown_and_counts_no_more() -> None:
    floor = hall().play("09:00 opens 1\n09:01 takes a\n09:02 calls 1\n09:02 recalls 1")
    assert floor.day.last_calls == ["A001"]
    floor.play("09:02:30 undoes 1")
    ticket = floor.day.tickets["A001"]
    assert (ticket.state, ticket.calls, ticket.window) == ("waiting", 0, "")
    assert floor.day.last_calls == []
    assert floor.day.places["1"].state == "free"
    floor.play("09:03 calls 1 -> A001 first 0")
    assert ticket.calls == 1
