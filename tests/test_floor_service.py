"""At the window: recalls, no-shows, undoing, holding, finishing, and the next item."""

import pytest

from floor import facts
from floor.practice import Calling
from timeline import FloorDay, hall, items

CALLED = "09:00 opens 1\n09:00 takes a\n09:01:00 calls 1\n"
SERVING = CALLED + "09:02 starts 1\n"


# ── Recalls and no-shows ────────────────────────────────────────────────────


def test_a_recall_waits_for_the_cool_down_after_the_last_call() -> None:
    hall(calling=Calling(recall_gap_s=5)).play(
        f"""{CALLED}
        09:01:04 recalls 1 ! RecalledTooSoon
        09:01:05 recalls 1 -> A001
        09:01:09 recalls 1 ! RecalledTooSoon
        09:01:10 recalls 1 -> A001
        """
    )


def test_a_ticket_is_called_again_as_often_as_allowed_at_each_window() -> None:
    hall(calling=Calling(recalls_max=2)).play(
        f"""{CALLED}
        09:01:01 recalls 1
        09:01:02 recalls 1
        09:01:03 recalls 1 ! RecalledEnough
        09:01:04 undoes 1
        09:01:05 calls 1
        09:01:06 recalls 1 -> A001
        """
    )


def test_a_no_show_needs_its_recalls_and_its_seconds_since_the_first_call() -> None:
    hall(calling=Calling(no_show_recalls=2, no_show_after_s=60)).play(
        f"""{CALLED}
        09:05:00 recalls 1
        09:05:00 no-show 1 ! TooFewCalls
        09:05:01 recalls 1
        09:05:01 no-show 1 -> A001
        09:06:00 takes a
        09:06:10 calls 1
        09:06:11 recalls 1
        09:06:12 recalls 1
        09:07:09 no-show 1 ! NoShowTooSoon
        09:07:10 no-show 1 -> A002
        """
    )


MISSED = """
09:00 opens 1
09:00 takes a
09:01 takes a
09:02 takes a
09:03 takes a
09:04 takes a
09:05 calls 1 -> A001
09:06 no-show 1
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (0, ["A001", "A002", "A003", "A004", "A005"]),
        (1, ["A002", "A001", "A003", "A004", "A005"]),
        (3, ["A002", "A003", "A004", "A001", "A005"]),
        (4, ["A002", "A003", "A004", "A005", "A001"]),
        (9, ["A002", "A003", "A004", "A005", "A001"]),
        (-1, ["A002", "A003", "A004", "A005", "A001"]),
    ],
)
def test_whoever_comes_back_stands_where_the_hall_says(
    place: int, line: list[str]
) -> None:
    floor = hall(calling=Calling(return_place=place)).play(MISSED)
    floor.play("09:10 requeues A001 -> A001")
    assert floor.line("a") == line
    (fact,) = floor.facts(facts.TicketRequeued)
    assert (fact.place, fact.window) == (place, "")
    # The clerk or the desk may say otherwise.
    floor = hall(calling=Calling(return_place=0)).play(MISSED)
    floor.play(f"09:10 requeues A001 {place}")
    assert floor.line("a") == line


def test_those_who_come_back_behind_so_many_stand_behind_each_other() -> None:
    """Nobody who came back later goes before who came back earlier."""
    floor = hall(calling=Calling(return_place=2)).play(MISSED)
    floor.play(
        """
        09:07 calls 1 -> A002
        09:08 no-show 1
        09:09 requeues A001
        09:10 calls 1 -> A003 first 0
        09:11 starts 1
        09:12 requeues A002
        """
    )
    assert floor.line("a") == ["A004", "A001", "A002", "A005"]
    floor.play(
        """
        09:13 finishes 1
        09:14 calls 1 -> A004 first 0
        09:14 no-show 1
        09:15 calls 1 -> A001 placed 0
        09:15 no-show 1
        09:16 calls 1 -> A002 placed 0
        09:16 no-show 1
        09:17 calls 1 -> A005 first 0
        """
    )


def test_whoever_misses_again_comes_back_at_most_so_often() -> None:
    hall(calling=Calling(returns_max=2, return_place=0)).play(
        f"""{MISSED}
        09:10 requeues A001
        09:10 requeues A001 ! NotMissed
        09:11 calls 1 -> A001
        09:11 requeues A001 ! NotMissed
        09:12 no-show 1
        09:13 requeues A001
        09:14 calls 1 -> A001
        09:15 no-show 1
        09:16 requeues A001 ! ReturnedEnough
        09:17 calls 1 -> A002
        """
    )


# ── Putting off ─────────────────────────────────────────────────────────────


def test_whoever_puts_it_off_lets_so_many_more_go_first() -> None:
    floor = hall(calling=Calling(defer_place=2, defers_max=2))
    floor.play("09:00 opens 1" + "\n09:01 takes a" * 6)
    floor.play("09:02 defers A002 -> A002")
    assert floor.line("a") == ["A001", "A003", "A004", "A002", "A005", "A006"]
    floor.play("09:03 defers A002")
    assert floor.line("a") == ["A001", "A003", "A004", "A005", "A006", "A002"]
    floor.play("09:04 defers A002 ! DeferredEnough\n09:04 defers A006")
    assert floor.line("a") == ["A001", "A003", "A004", "A005", "A002", "A006"]


def test_who_puts_it_off_to_the_back_is_behind_all_who_wait() -> None:
    floor = hall(calling=Calling(defer_place=-1)).play("09:01 takes a\n" * 3)
    floor.play("09:02 defers A001\n09:03 takes a")
    assert floor.line("a") == ["A002", "A003", "A001", "A004"]


# ── Undoing ─────────────────────────────────────────────────────────────────


def test_a_call_is_taken_back_within_the_seconds_allowed_and_not_later() -> None:
    demands = Calling(undo_s=10)
    hall(calling=demands).play(f"{CALLED}\n09:01:10 undoes 1 -> A001")
    hall(calling=demands).play(f"{CALLED}\n09:01:11 undoes 1 ! UndoneTooLate")
    # A recall does not make the call any younger.
    hall(calling=demands).play(
        f"{CALLED}\n09:01:09 recalls 1\n09:01:11 undoes 1 ! UndoneTooLate"
    )


def test_where_nothing_is_undone_nothing_is_even_at_the_same_instant() -> None:
    hall(calling=Calling(undo_s=0)).play(f"{CALLED}\n09:01:00 undoes 1 ! UndoneTooLate")


# ── On hold ─────────────────────────────────────────────────────────────────


def test_a_ticket_on_hold_comes_back_and_others_are_called_meanwhile() -> None:
    floor = hall(calling=Calling(held_max=2)).play(
        f"""{SERVING}
        09:03 takes a
        09:03 takes a
        09:04 holds 1 复印 -> A001
        09:05 calls 1 -> A002
        09:06 starts 1
        09:07 returns 1 A001 ! WindowBusy
        09:08 holds 1
        """
    )
    place = floor.day.places["1"]
    assert (place.state, place.ticket, place.held) == ("free", "", ("A001", "A002"))
    assert floor.facts(facts.TicketHeld)[0].reason == "复印"
    floor.play(
        """
        09:09 calls 1 -> A003
        09:10 starts 1
        09:11 holds 1 ! TooManyHeld
        09:12 finishes 1
        09:13 returns 1 ! SeveralOnHold
        09:14 returns 1 A002 -> A002
        """
    )
    assert (place.state, place.ticket, place.held) == ("serving", "A002", ("A001",))
    assert floor.states() == {"A001": "held", "A002": "serving", "A003": "served"}
    floor.play("09:15 finishes 1\n09:16 returns 1 -> A001\n09:17 finishes 1 -> A001")
    # Its service began when it began, and not when it came back.
    assert floor.day.tickets["A001"].started_at == floor.at("09:02")
    assert place.held == ()


def test_whoever_gives_up_on_hold_leaves_the_window_too() -> None:
    floor = hall().play(f"{SERVING}\n09:03 holds 1\n09:04 abandons A001 -> A001")
    assert floor.day.places["1"].held == ()
    assert floor.states() == {"A001": "abandoned"}
    floor.play("09:05 returns 1 ! NothingOnHold\n09:06 closes 1 -> 1")


# ── Finishing by the next call ──────────────────────────────────────────────


def test_the_next_call_finishes_the_one_being_served_where_the_hall_says_so() -> None:
    lines = f"{SERVING}\n09:03 takes a\n"
    hall().play(f"{lines}09:04 calls 1 ! WindowBusy")
    floor = hall(calling=Calling(finish_implied=True))
    floor.play(f"{lines}09:04 calls 1 -> A002 first 0")
    (finished,) = floor.facts(facts.ServiceFinished)
    assert (finished.ticket, finished.implied, finished.command) == ("A001", True, "")
    assert (finished.at, finished.outcome) == (floor.at("09:04"), "done")
    assert floor.day.places["1"].last == "A001"
    assert floor.states() == {"A001": "served", "A002": "called"}
    # Who was called and has not come is finished by nothing.
    floor.play("09:05 takes a\n09:06 calls 1 ! WindowBusy")


def test_nothing_is_finished_when_nobody_waits_or_another_is_named() -> None:
    floor = hall(calling=Calling(finish_implied=True)).play(SERVING)
    floor.play("09:04 calls 1 ! NobodyWaiting")
    floor.play("09:05 takes a\n09:06 calls 1 A002 ! WindowBusy")
    assert floor.states()["A001"] == "serving"


# ── On to the next item ─────────────────────────────────────────────────────


def states_and_steps(floor: FloorDay) -> tuple[str, str, tuple[str, ...]]:
    ticket = floor.day.tickets["A001"]
    return ticket.item, ticket.state, ticket.then


def test_a_visit_of_three_items_is_one_ticket_in_three_lines() -> None:
    """一票到底: the steps on the ticket, one after the other."""
    floor = hall().play(
        """
        09:00 opens 1
        09:00 opens 2
        09:00 opens 3
        09:00 takes a then=b,c
        09:01 calls 1 -> A001
        09:02 starts 1
        09:03 takes b
        09:04 finishes 1 -> A001
        """
    )
    assert states_and_steps(floor) == ("b", "waiting", ("c",))
    assert floor.line("b") == ["B001", "A001"]
    assert floor.day.places["1"].last == "A001"
    floor.play(
        """
        09:05 calls 2 -> B001
        09:05 calls 1 -> A001 first 0
        09:06 no-show 1
        09:07 requeues A001
        09:08 calls 1 -> A001
        09:09 starts 1
        09:10 finishes 1
        """
    )
    assert states_and_steps(floor) == ("c", "waiting", ())
    floor.play("09:11 calls 3 -> A001\n09:12 starts 3\n09:13 finishes 3")
    assert states_and_steps(floor) == ("c", "served", ())
    assert [f.item for f in floor.facts(facts.TicketContinued)] == ["b", "c"]


def test_the_steps_of_the_item_hold_unless_the_visitor_brings_others() -> None:
    floor = hall(items=items(a={"then": ("b", "c")}))
    floor.play("09:00 takes a\n09:01 takes a then=c")
    assert floor.day.tickets["A001"].then == ("b", "c")
    assert floor.day.tickets["A002"].then == ("c",)


@pytest.mark.parametrize(
    ("said", "now", "then"),
    [("", "b", ("c", "b")), ("c", "c", ("b",)), ("a", "a", ("b", "c", "b"))],
)
def test_the_clerk_may_send_a_visitor_on_elsewhere(
    said: str, now: str, then: tuple[str, ...]
) -> None:
    """Over a step, or on a detour after which all steps are still to come."""
    floor = hall().play("09:00 opens 1\n09:00 takes a then=b,c,b\n09:01 calls 1")
    floor.play(f"09:02 starts 1\n09:03 finishes 1 {said}")
    assert states_and_steps(floor) == (now, "waiting", then)


def test_a_visit_of_several_items_goes_on_when_the_next_call_finished_one() -> None:
    floor = hall(calling=Calling(finish_implied=True)).play(
        """
        09:00 opens 1
        09:00 takes a then=c
        09:00 takes a
        09:01 calls 1
        09:02 starts 1
        09:03 calls 1 -> A002 first 0
        """
    )
    assert states_and_steps(floor) == ("c", "waiting", ())
    kinds = [entry.topic for entry in floor.entries[-3:]]
    assert kinds == ["ServiceFinished", "TicketContinued", "TicketCalled"]


def test_where_no_limit_is_named_a_ticket_is_called_again_for_ever() -> None:
    floor = hall().play(CALLED)
    floor.play("09:01 recalls 1\n" * 1_001)
    assert floor.day.tickets["A001"].calls == 1_002
