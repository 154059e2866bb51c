"""Transfers: to an item, a window or a person, and what becomes of them."""

from floor import facts
from floor.practice import Calling, CallPolicy, Standing
from timeline import hall

OPEN = "09:00 opens 1\n09:00 opens 2\n09:00 opens 3\n"


def test_a_ticket_sent_to_an_item_waits_behind_all_or_before_all_of_its_line() -> None:
    lines = f"""{OPEN}
    09:01 takes a
    09:02 takes c
    09:03 takes c
    09:04 calls 1 -> A001
    """
    floor = hall().play(f"{lines}\n09:05 transfers 1 c -> A001")
    assert floor.line("c") == ["C001", "C002", "A001"]
    ticket = floor.day.tickets["A001"]
    assert (ticket.item, ticket.state, ticket.window) == ("c", "waiting", "")
    assert floor.day.places["1"].state == "free"
    floor = hall().play(f"{lines}\n09:05 transfers 1 c front=true")
    assert floor.line("c") == ["A001", "C001", "C002"]
    floor.play("09:06 calls 3 -> A001 placed 0")


def test_of_two_sent_to_the_front_the_later_is_first() -> None:
    floor = hall().play(
        f"""{OPEN}
        09:01 takes a
        09:01 takes b
        09:02 takes c
        09:04 calls 1 -> A001
        09:04 calls 2 -> B001
        09:05 transfers 2 c front=true
        09:05 transfers 1 c front=true
        """
    )
    assert floor.line("c") == ["A001", "B001", "C001"]


def test_a_ticket_sent_to_a_window_is_called_there_alone() -> None:
    floor = hall().play(
        f"""{OPEN}
        09:01 takes a
        09:02 calls 1 -> A001
        09:03 starts 1
        09:04 transfers 1 to_window=2
        09:05 calls 3 ! NobodyWaiting
        09:05 calls 1 ! NobodyWaiting
        09:05 calls 3 A001 ! ItemNotAtWindow
        09:06 calls 2 -> A001 sent 0
        """
    )
    assert floor.day.tickets["A001"].item == "a"
    (sent,) = floor.facts(facts.TicketTransferred)
    assert (sent.item, sent.to_window, sent.front) == ("a", "2", False)


def test_a_ticket_sent_to_a_window_waits_there_by_its_age() -> None:
    """At the back from now on; in front as long as it is in the hall already."""
    lines = f"""{OPEN}
    09:01 takes a
    09:02 calls 1 -> A001
    09:03 takes b
    09:04 transfers 1 to_window=2"""
    hall().play(f"{lines}\n09:05 calls 2 -> B001 first 0")
    hall().play(f"{lines} front=true\n09:05 calls 2 -> A001 placed 0")


def test_a_ticket_sent_to_a_person_follows_that_person_to_another_window() -> None:
    floor = hall().play(
        """
        09:00 opens 1 li
        09:00 opens 2 wang
        09:01 takes a
        09:02 calls 1 -> A001
        09:03 transfers 1 c to_clerk=wang
        09:04 moves 2 3
        09:05 calls 1 ! NobodyWaiting
        09:06 calls 3 -> A001 sent 0
        """
    )
    ticket = floor.day.tickets["A001"]
    assert (ticket.item, ticket.clerk, ticket.window) == ("c", "wang", "3")


def test_those_sent_to_a_window_or_person_wait_for_any_when_they_leave() -> None:
    floor = hall().play(
        f"""{OPEN}
        09:00 takes a
        09:00 takes a
        09:00 takes a
        09:01 calls 1 -> A001
        09:01 transfers 1 to_window=2
        09:02 calls 1 -> A002
        09:02 transfers 1 to_clerk=c2
        09:03 takes a
        """
    )
    assert floor.line("a") == ["A003", "A004"]
    floor.play("09:04 closes 2")
    assert floor.line("a") == ["A003", "A001", "A002", "A004"]
    assert "window:2" not in floor.day.lines
    assert "clerk:c2" not in floor.day.lines
    floor.play("09:05 calls 1 -> A003 first 0\n09:05 calls 3 -> A001 first 0")


def test_several_released_together_keep_their_order() -> None:
    """Three were sent to the front of window 2, one before the other."""
    floor = hall().play(OPEN + "09:00 takes a\n" * 3)
    for ticket in ("A003", "A001", "A002"):
        floor.play(f"09:01 calls 1 {ticket}\n09:01 transfers 1 to_window=2 front=true")
    assert floor.line("window:2") == ["A002", "A001", "A003"]
    floor.play("09:02 closes 2")
    assert floor.line("a") == ["A002", "A001", "A003"]


def test_a_window_that_a_clerk_leaves_keeps_nobody_but_the_clerk_does() -> None:
    floor = hall().play(
        """
        09:00 opens 1
        09:00 opens 2
        09:00 takes a
        09:00 takes a
        09:01 calls 1 -> A001
        09:01 transfers 1 to_window=2
        09:02 calls 1 -> A002
        09:02 transfers 1 to_clerk=c2
        09:03 moves 2 3
        """
    )
    assert floor.line("a") == ["A001"]
    assert floor.line("clerk:c2") == ["A002"]


def test_a_no_show_that_was_sent_to_a_window_comes_back_to_it() -> None:
    sent = f"""{OPEN}
    09:01 takes a
    09:02 calls 1
    09:02 transfers 1 to_window=2
    09:03 calls 2 -> A001
    09:04 no-show 2
    """
    floor = hall().play(f"{sent}\n09:05 requeues A001")
    assert floor.line("window:2") == ["A001"]
    # Or to any window of its item, if nobody sits there any more.
    floor = hall().play(f"{sent}\n09:05 closes 2\n09:06 requeues A001")
    assert (floor.line("window:2"), floor.line("a")) == ([], ["A001"])
    floor.play("09:07 calls 1 -> A001")


def test_a_call_of_a_ticket_sent_to_a_window_is_undone_after_its_clerk_moved() -> None:
    """Nobody sits at window 2 any more, so any window of the item may call it."""
    floor = hall(calling=Calling(undo_s=600)).play(
        """
        09:00 opens 1
        09:00 opens 2
        09:01 takes a
        09:02 calls 1
        09:02 transfers 1 to_window=2
        09:03 calls 2 -> A001
        09:04 moves 2 3
        09:05 undoes 3 -> A001
        """
    )
    assert floor.line("a") == ["A001"]
    floor.play("09:06 calls 1 -> A001 first 0")


def test_a_ticket_sent_to_a_later_step_has_it_only_once() -> None:
    floor = hall().play(
        f"{OPEN}\n09:00 takes a then=b,c\n09:01 calls 1\n09:02 transfers 1 b"
    )
    ticket = floor.day.tickets["A001"]
    assert (ticket.item, ticket.then) == ("b", ("c",))
    floor.play("09:03 calls 2\n09:03 transfers 2 to_window=3")
    assert (ticket.item, ticket.then) == ("b", ("c",))


# ── Under policies with kinds ───────────────────────────────────────────────

CARE = CallPolicy(name="fixed_credit", care=Standing(credit_s=1800))
STRICT = CallPolicy(name="strict", care=Standing(rank=1))


def test_a_place_in_the_line_is_kept_whatever_the_kind() -> None:
    for policy in (CARE, STRICT):
        lines = """
        09:00 opens 1
        09:00 takes a
        09:00 takes a
        09:00 takes a
        09:00 takes a care
        09:01 calls 1 -> A004
        09:01 no-show 1
        """
        floor = hall(policy=policy).play(f"{lines}\n09:02 requeues A004 1")
        assert floor.line("a") == ["A001", "A004", "A002", "A003"]
        # At the back is behind all who wait, not at the back of its kind.
        floor = hall(policy=policy).play(f"{lines}\n09:02 requeues A004 -1")
        assert floor.line("a") == ["A001", "A002", "A003", "A004"]
        floor = hall(policy=policy).play(f"{lines}\n09:02 requeues A004 3")
        assert floor.line("a") == ["A001", "A002", "A003", "A004"]
        floor.play("09:03 takes a\n09:04 takes a care")
        assert floor.line("a")[-2:] == ["A004", "A005"]
        assert floor.line("a")[0] == "A006"


def test_care_is_put_off_behind_those_whom_it_lets_go() -> None:
    floor = hall(policy=CARE, calling=Calling(defer_place=2)).play(
        """
        09:00 takes a
        09:01 takes a
        09:02 takes a
        09:03 takes a care
        09:04 defers A004
        """
    )
    assert floor.line("a") == ["A001", "A002", "A004", "A003"]


def test_a_normal_one_in_front_of_care_is_called_as_placed() -> None:
    for policy in (CARE, STRICT):
        floor = hall(policy=policy).play(
            """
            09:00 opens 1
            09:00 takes a
            09:01 takes a care
            09:02 calls 1 A001
            09:02 no-show 1
            09:03 requeues A001 0
            09:04 calls 1 -> A001 placed 0
            """
        )
        assert floor.line("a") == ["A002"]


def test_who_is_transferred_to_another_item_keeps_the_kind_there() -> None:
    floor = hall(policy=STRICT).play(
        f"""{OPEN}
        09:00 takes c
        09:01 takes a care
        09:02 calls 1 -> A001
        09:03 transfers 1 c
        """
    )
    assert floor.line("c") == ["A001", "C001"]


def test_a_ticket_sent_to_a_window_keeps_all_its_steps() -> None:
    """Also the step that leads back to where it is."""
    floor = hall().play(f"{OPEN}\n09:00 takes a then=b,a\n09:01 calls 1")
    floor.play("09:02 transfers 1 to_window=2")
    assert floor.day.tickets["A001"].then == ("b", "a")
