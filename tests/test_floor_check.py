"""The check finds what is wrong with a log, and nothing where all is right."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corrupt
from corrupt import (
    Spoil,
    Untold,
    at_window,
    change,
    insert,
    left_out,
    new,
    of_ticket,
    spoilt,
    twice,
    with_calling,
)
from crowd import POLICIES, a_log
from floor import facts
from floor.checking import sums
from floor.checking.reading import CHECKS, OF_QUARTER, Reading
from floor.checking.replays import check_replays
from floor.checking.sums import _skips_in, _slips_in
from floor.checking.violations import INVARIANTS, WRONG, Violation
from floor.checking.whole import check_log
from floor.facts import FACTS, Entry, Fact
from floor.practice import CallPolicy
from test_floor_facts import golden_entries
from test_floor_golden import entries as golden_0_2

SEEDS = range(14)

log = cache(a_log)


def named(violation: Violation) -> tuple[str, int]:
    return violation.what, violation.positions[0]


# ── A good log ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_wrong_with_a_log_by_the_rules(seed: int) -> None:
    findings = check_log(log(seed))
    assert findings.violations == []
    assert findings.wrong == findings.rates.little_ms == 0
    assert findings.rates.facts == len(log(seed))
    assert findings.rates.days == 3


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_every_policy_is_recomputed(policy: CallPolicy) -> None:
    entries = a_log(50, policy=policy)
    findings = check_log(entries)
    assert findings.violations == []
    called = [e.fact for e in entries if isinstance(e.fact, facts.TicketCalled)]
    reasons = {fact.because for fact in called}
    assert {"first", "placed", "sent", "by_hand"} <= reasons
    if policy.name != "first_come":
        assert "kind" in reasons
    assert findings.rates.calls == len(called)
    assert findings.rates.by_hand == sum(f.because == "by_hand" for f in called)
    assert findings.rates.overtaking == sum(f.passed > 0 for f in called)


def test_the_good_logs_hold_every_fact() -> None:
    assert {type(entry.fact) for seed in SEEDS for entry in log(seed)} == set(FACTS)
    beside = {facts.AppointmentCheckedIn, facts.DaySealed, facts.CataloguePublished}
    assert CHECKS.keys() | OF_QUARTER.keys() | beside == set(FACTS)


def test_a_log_of_the_first_release_is_clean() -> None:
    findings = check_log(golden_entries())
    assert findings.violations == []
    assert findings.rates.unexplained == findings.rates.calls > 0


def test_a_log_of_the_second_release_is_clean() -> None:
    """But for its seal, which was written by hand with a size of its own."""
    findings = check_log(golden_0_2())
    assert [violation.what for violation in findings.violations] == ["wrong_size"]
    assert findings.rates.unexplained == 0 < findings.rates.calls


def test_a_log_that_was_cut_off_is_clean() -> None:
    """A hall is at work on it, or the power went: every prefix is a good log."""
    entries = log(1)
    for end in range(0, len(entries), 97):
        assert check_log(entries[:end]).violations == []


def test_a_log_replays_alike() -> None:
    assert check_replays(log(2)).violations == []


# ── Rows that are not where they were written ───────────────────────────────────────


def some(entries: Sequence[Entry], count: int = 60) -> list[int]:
    return random.Random(4).sample(range(1, len(entries) - 1), count)


def test_a_fact_that_is_gone_is_missed() -> None:
    entries = log(3)
    for index in some(entries):
        found = check_log([*entries[:index], *entries[index + 1 :]]).violations[0]
        assert named(found) == ("position_gap", index + 2)


def test_a_fact_that_is_there_twice_is_found() -> None:
    entries = log(3)
    for index in some(entries):
        whole = [*entries[:index], entries[index], *entries[index:]]
        assert named(check_log(whole).violations[0]) == ("position_gap", index + 1)


def test_two_facts_in_each_others_place_are_found() -> None:
    entries = log(3)
    for index in some(entries):
        one, other = entries[index], entries[index + 1]
        whole = [*entries[:index], other, one, *entries[index + 2 :]]
        assert named(check_log(whole).violations[0]) == ("position_gap", index + 2)


def put(entries: list[Entry], index: int, fact: Fact, version: int = 0) -> list[Entry]:
    old = entries[index]
    entry = Entry(old.stream, version or old.version, fact)
    return [*entries[:index], entry, *entries[index + 1 :]]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("time_back", lambda f: {"at": f.at - timedelta(hours=6)}),
        ("not_milliseconds", lambda f: {"at": f.at + timedelta(microseconds=1)}),
        ("command_twice", lambda f: {"command": log(3)[1].fact.command}),
    ],
)
def test_a_changed_place_in_time_is_found(
    what: str, words: Callable[[Any], dict[str, object]]
) -> None:
    entries = log(3)
    assert entries[1].fact.command
    for index in [i for i in some(entries) if entries[i].stream == entries[1].stream]:
        fact = entries[index].fact
        spoilt = put(entries, index, msgspec.structs.replace(fact, **words(fact)))
        found = {named(violation) for violation in check_log(spoilt).violations}
        assert (what, index + 1) in found


def test_a_wrong_version_is_found() -> None:
    entries = log(3)
    for index in some(entries):
        old = entries[index]
        found = check_log(put(entries, index, old.fact, old.version + 1)).violations[0]
        assert named(found) == ("version_gap", index + 1)


# ── Stories that cannot be true ─────────────────────────────────────────────────────

T = facts
IN_HAND = ("called", "serving")

SPOILERS: list[tuple[str, Spoil]] = [
    # A ticket's way through the hall.
    ("called_twice", corrupt.called_elsewhere_too),
    ("window_busy_with", twice(T.TicketCalled)),
    ("not_serving", twice(T.ServiceFinished, lambda f: not f.implied)),
    ("not_called", twice(T.ServiceStarted)),
    ("not_called", twice(T.NoShowDeclared)),
    ("not_called", of_ticket(T.ServiceStarted, "waiting")),
    ("not_called", of_ticket(T.TicketRecalled, "serving")),
    ("not_called", of_ticket(T.CallUndone, "serving")),
    ("not_called", change(T.ServiceStarted, window="12")),
    ("not_serving", of_ticket(T.ServiceFinished, "called")),
    ("not_serving", of_ticket(T.TicketHeld, "called")),
    ("not_held", of_ticket(T.TicketReturned, "serving")),
    ("not_in_hand", of_ticket(T.TicketTransferred, "waiting", item="xuke")),
    ("not_in_hand", of_ticket(T.TicketRequeued, "served", place=0, window="1")),
    ("not_missed", of_ticket(T.TicketRequeued, "served", place=0, window="")),
    ("not_leaving", of_ticket(T.TicketAbandoned, "served")),
    ("not_served", of_ticket(T.EvaluationInvited, "serving")),
    ("not_served", of_ticket(T.TicketContinued, "serving", item="xuke")),
    ("not_served", change(T.EvaluationGiven, window="none")),
    ("rated_twice", twice(T.EvaluationGiven)),
    ("unknown_ticket", change(T.TicketCalled, ticket="Z999")),
    ("unknown_ticket", change(T.EvaluationLapsed, ticket="Z999")),
    # Windows and clerks.
    ("window_open", at_window(T.WindowOpened, "free", clerk="x", items=())),
    ("wrong_items", change(T.WindowOpened, items=("huji",))),
    ("wrong_items", change(T.ClerkMoved, items=("huji",))),
    ("window_not_free", at_window(T.WindowPaused, "serving")),
    ("window_not_free", at_window(T.WindowPaused, "closed")),
    ("window_not_paused", at_window(T.WindowResumed, "free")),
    ("window_not_open", at_window(T.WindowClosed, "closed")),
    ("window_busy_with", at_window(T.WindowClosed, "serving")),
    ("unknown_window", change(T.WindowClosed, window="none")),
    ("wrong_clerk", change(T.TicketCalled, clerk="somebody")),
    ("wrong_clerk", change(T.ClerkMoved, clerk="somebody")),
    # Who is called where.
    ("not_next", corrupt.other_ticket),
    ("not_eligible", corrupt.other_window("free", able=False)),
    ("not_ready", corrupt.other_window("paused", able=True)),
    ("not_ready", corrupt.other_window("closed", able=True)),
    ("wrong_because", corrupt.because_of),
    ("wrong_because", corrupt.unexplained),
    ("wrong_passed", corrupt.passed_one_more),
    ("wrong_policy", change(T.TicketCalled, policy="the clerk's own")),
    # Tickets and bookings.
    ("unknown_item", change(T.TicketTaken, item="none")),
    ("wrong_number", change(T.TicketTaken, ticket="A9999")),
    ("number_twice", twice(T.TicketTaken)),
    ("wrong_kind", change(T.TicketTaken, ground="army", kind="normal")),
    ("booking_over", twice(T.AppointmentCheckedIn)),
    ("unknown_booking", change(T.AppointmentCheckedIn, booking="20260101-001")),
    ("booking_words", change(T.AppointmentCheckedIn, person="f" * 32)),
    ("booking_words", change(T.AppointmentCheckedIn, item="xuke")),
    # The hall.
    ("already_closed", twice(T.HallClosed)),
    ("not_closed", insert(lambda day, fact: T.HallReopened(at=fact.at))),
    ("wrong_stream", insert(lambda day, fact: T.AppointmentMissed(
        at=fact.at, booking="20260101-001"))),
    ("unknown_clerk", change(T.TicketTransferred, to_clerk="x", to_window="")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "spoil"), SPOILERS, ids=[f"{n}-{s[0]}" for n, s in enumerate(SPOILERS)]
)
def test_a_story_that_cannot_be_true_is_found(what: str, spoil: Spoil) -> None:
    """In each log where it can be told, and named where it begins."""
    told = 0
    for seed in SEEDS:
        try:
            entries, fault = spoilt(log(seed), spoil)
        except Untold:
            continue
        told += 1
        violations = check_log(entries).violations
        assert violations, f"Nothing was found in log {seed}."
        assert violations[0].positions[0] == fault
        assert what in {v.what for v in violations if v.positions[0] == fault}
    assert told, "No log has a place for it."


# ── Stories with something missing ──────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("what", "kind", "then"),
    [
        ("not_called", T.TicketCalled, (T.ServiceStarted, T.TicketRecalled)),
        ("not_serving", T.ServiceStarted, (T.ServiceFinished, T.TicketHeld)),
        ("unknown_ticket", T.TicketTaken, (T.TicketAbandoned, T.TicketCalled)),
        ("not_held", T.TicketHeld, (T.TicketReturned,)),
        ("not_serving", T.TicketReturned, (T.ServiceFinished,)),
        ("not_served", T.ServiceFinished, (T.TicketContinued,)),
        ("called_twice", T.TicketTransferred, (T.TicketCalled,)),
        ("not_waiting", T.TicketContinued, (T.TicketCalled,)),
        ("not_waiting", T.TicketRequeued, (T.TicketCalled,)),
        ("called_twice", T.CallUndone, (T.TicketCalled,)),
        ("not_missed", T.NoShowDeclared, (T.TicketRequeued,)),
    ],
)
def test_a_story_with_something_missing_is_found(
    what: str, kind: type[Fact], then: tuple[type[Fact], ...]
) -> None:
    told = 0
    for seed in SEEDS:
        try:
            entries, fault = left_out(log(seed), kind, then)
        except Untold:
            continue
        told += 1
        found = {named(violation) for violation in check_log(entries).violations}
        assert (what, fault) in found
    assert told, "No log has a place for it."


def without(entries: Sequence[Entry], gone: Callable[[Fact], bool]) -> list[Entry]:
    return corrupt.renumbered(
        [(entry.stream, entry.fact) for entry in entries if not gone(entry.fact)]
    )


def whats(entries: Sequence[Entry]) -> set[str]:
    findings = check_log(entries)
    assert findings.wrong >= len(findings.violations)
    return {violation.what for violation in findings.violations}


def one_with(kind: type[Fact], where: Callable[[Any], bool] = lambda _: True) -> int:
    """The first seed whose log has such a fact."""
    return next(
        seed
        for seed in SEEDS
        if any(type(e.fact) is kind and where(e.fact) for e in log(seed))
    )


def test_a_booking_that_came_to_nothing_is_found() -> None:
    entries = log(one_with(T.AppointmentMissed))
    spoilt = without(entries, lambda fact: isinstance(fact, T.AppointmentMissed))
    found = check_log(spoilt).violations
    assert {violation.what for violation in found} == {"never_missed"}
    fact = spoilt[found[0].positions[0] - 1].fact
    assert isinstance(fact, T.AppointmentBooked)


def test_bookings_without_number_or_end_are_found() -> None:
    entries = log(one_with(T.AppointmentCancelled))
    first = next(e.fact for e in entries if isinstance(e.fact, T.AppointmentBooked))
    assert "booking_number" in whats(without(entries, lambda fact: fact is first))
    told = [
        (e.stream, fact)
        for e in entries
        for fact in [e.fact] * (1 + isinstance(e.fact, T.AppointmentCancelled))
    ]
    assert "booking_over" in whats(corrupt.renumbered(told))


def test_a_missed_appointment_before_the_hall_closes_is_found() -> None:
    entries = log(one_with(T.AppointmentMissed))
    missed = next(e for e in entries if isinstance(e.fact, T.AppointmentMissed))
    day = missed.fact.booking[:8]  # type: ignore[attr-defined]
    told = [(e.stream, e.fact) for e in entries if e is not missed]
    booked = next(
        place
        for place, (_, fact) in enumerate(told)
        if isinstance(fact, T.AppointmentBooked) and fact.booking == missed.fact.booking  # type: ignore[attr-defined]
    )
    opened = next(
        place
        for place, (stream, fact) in enumerate(told)
        if place > booked
        and stream[-10:].replace("-", "") == day
        and isinstance(fact, T.TicketCalled)
    )
    fact = new(missed.fact, at=told[opened][1].at)
    told.insert(opened, (missed.stream, fact))
    found = check_log(corrupt.renumbered(told)).violations
    assert ("missed_open", opened + 1) in {named(violation) for violation in found}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("held_too_many", {"held_max": 0}),
        ("recalled_too_soon", {"recall_gap_s": 8 * 3600}),
        ("recalled_too_soon", {"recalls_max": 1}),
        ("no_show_too_soon", {"no_show_recalls": 900}),
        ("no_show_too_soon", {"no_show_after_s": 8 * 3600}),
        ("undone_too_late", {"undo_s": 0}),
        ("returned_too_often", {"returns_max": 0}),
        ("returned_too_often", {"defers_max": 0}),
        ("not_implied", {"finish_implied": False}),
        ("not_followed", {"opens_paused": True}),
    ],
)
def test_the_bounds_of_the_catalogue_hold(what: str, words: dict[str, object]) -> None:
    found = set[str]()
    for seed in SEEDS:
        found |= whats(with_calling(log(seed), **words))
    assert what in found
    assert "wrong_passed" not in found


def test_an_implied_finish_without_its_call_is_found() -> None:
    def implied(fact: Any) -> bool:
        return bool(fact.implied)

    entries = log(one_with(T.ServiceFinished, implied))
    told = [(e.stream, e.fact) for e in entries]
    at = next(
        place
        for place, (_, fact) in enumerate(told)
        if isinstance(fact, T.ServiceFinished) and fact.implied
    )
    while not isinstance(told[at + 1][1], T.TicketCalled):
        at += 1
    del told[at + 1]
    found = check_log(corrupt.renumbered(told)).violations
    assert ("not_followed", at + 2) in {named(violation) for violation in found}


def test_facts_in_another_stream_are_found() -> None:
    entries = log(0)
    days = [entry.stream for entry in entries if entry.stream[-3] == "-"]
    first, later = days[0], days[-1]
    told = [(e.stream, e.fact) for e in entries]
    called = next(i for i, (_, f) in enumerate(told) if isinstance(f, T.TicketCalled))
    told[called] = "hall-1/2026-Q4", told[called][1]
    assert whats(corrupt.renumbered(told)) >= {"wrong_stream", "not_called"}
    told = [(e.stream, e.fact) for e in entries]
    told[-1] = first, told[-1][1]
    assert later != first
    assert whats(corrupt.renumbered(told)) == {"day_goes_on"}


def test_a_fact_dated_after_its_day_is_found() -> None:
    """Only what closes a day that was left open comes later than the day."""
    entries = log(0)
    fact = entries[-1].fact
    later = new(fact, at=fact.at + timedelta(days=1))
    found = check_log(put(entries, len(entries) - 1, later)).violations
    assert [named(violation) for violation in found] == [("wrong_stream", len(entries))]
    assert one_with(T.HallClosed, lambda fact: fact.reason == "day_change") in SEEDS


def test_a_log_without_a_catalogue_is_found() -> None:
    assert "no_catalogue" in whats(corrupt.renumbered(
        [(entry.stream, entry.fact) for entry in log(0)[1:]]
    ))  # fmt: skip


def test_what_is_done_in_a_closed_hall_is_found() -> None:
    entries = log(one_with(T.HallClosed, lambda fact: fact.reason == "clerk"))
    told = [(e.stream, e.fact) for e in entries]
    closed = next(
        i for i, (_, f) in enumerate(told) if isinstance(f, T.HallClosed)
        and f.reason == "clerk" and not isinstance(told[i + 1][1], T.HallReopened)
    )  # fmt: skip
    taken = next(f for _, f in told if isinstance(f, T.TicketTaken))
    opened = next(f for _, f in told if isinstance(f, T.WindowOpened))
    at = told[closed][1].at
    stream = told[closed][0]
    told[closed + 1 : closed + 1] = [
        (stream, new(taken, at=at, ticket="H999")),
        (stream, new(opened, at=at)),
    ]
    found = check_log(corrupt.renumbered(told)).violations
    for place in (closed + 2, closed + 3):
        assert ("hall_closed", place) in {named(violation) for violation in found}


def test_a_seal_of_the_wrong_size_is_found() -> None:
    entries = log(one_with(T.DaySealed))
    at = next(i for i, e in enumerate(entries) if isinstance(e.fact, T.DaySealed))
    found = check_log(put(entries, at, new(entries[at].fact, size=7))).violations
    assert [named(violation) for violation in found] == [("wrong_size", at + 1)]


# ── Sums, which a single wrong fact leaves alone ────────────────────────────────────


def a_day_read(seed: int = 3) -> Reading:
    """The check of a log whose last day is not closed yet."""
    reading = Reading()
    for entry in log(seed)[: len(log(seed)) * 3 // 4]:
        reading.take(entry.stream, entry.version, entry.fact)
    return reading


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("little_waiting", lambda sheet: sheet.areas.__setitem__(0, 1)),
        ("little_serving", lambda sheet: sheet.areas.__setitem__(1, 1)),
        ("little_held", lambda sheet: sheet.areas.__setitem__(2, 1)),
        ("window_time", lambda sheet: sheet.places["1"].spent.update(free=-1)),
        ("window_busy", lambda sheet: setattr(sheet.places["1"], "services_ms", -1)),
        ("display_differs", lambda sheet: sheet.issued.update(J=0)),
        ("still_there", lambda sheet: setattr(sheet, "closed", True)),
        ("tickets_differ", lambda sheet: _lost(sheet)),
        ("too_early", lambda sheet: _too_early(sheet)),
    ],
)
def test_a_sum_that_does_not_come_out_is_found(
    what: str, spoil: Callable[[Any], object]
) -> None:
    assert a_day_read().finish().violations == []
    reading = a_day_read()
    spoil(reading._sheet)
    assert what in {violation.what for violation in reading.finish().violations}


def _lost(sheet: Any) -> None:
    """Tickets that are nowhere."""
    for ticket in sheet.tickets.values():
        if not ticket.first_called:
            ticket.state = "lost"


def _too_early(sheet: Any) -> None:
    """One window alone calls the second before the first can be done."""
    place = sheet.places["1"]
    for other in sheet.places.values():
        other.opened = set()
    sheet.weights.plain = True
    place.legs = [(0, 10, 60, 5), (5, 30, 90, 9)]


def test_slips_that_are_no_skips_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "_skips_in", lambda calls: [0] * len(calls))
    whats = {violation.what for violation in check_log(log(3)).violations}
    assert whats == {"slips_differ"}


def test_counts_that_drift_apart_are_found_at_once() -> None:
    reading = a_day_read()
    sheet: Any = reading._sheet
    sheet.waiting += 1
    sheet.serving += 1
    entry = log(3)[len(log(3)) * 3 // 4]
    reading.take(entry.stream, entry.version, entry.fact)
    whats = {violation.what for violation in reading.findings.violations}
    assert whats == {"lines_differ", "services_differ"}


@given(st.permutations(range(40)).map(lambda order: order[:25]))
def test_slips_are_skips(calls: list[int]) -> None:
    """Both counted as they are defined, pair by pair."""
    slips = [sum(c < mine for c in calls[i:]) for i, mine in enumerate(calls)]
    assert _slips_in(calls) == slips
    in_order = sorted(range(len(calls)), key=calls.__getitem__)
    skips = [sum(calls[i] > calls[j] for i in range(j)) for j in in_order]
    assert _skips_in(calls) == skips
    assert sum(slips) == sum(skips)


# ── The check itself ────────────────────────────────────────────────────────────────


@settings(max_examples=120, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(SEEDS))
def test_no_log_is_so_wrong_that_the_check_breaks(
    chance: random.Random, seed: int
) -> None:
    """Facts left out, doubled, exchanged and moved between tickets, without sense."""
    told = [(e.stream, e.fact) for e in log(seed)[: chance.randrange(300, 2_500)]]
    words = {
        name: [getattr(f, name) for _, f in told if hasattr(f, name)]
        for name in ("ticket", "window", "item", "clerk", "booking", "place", "reason")
    }
    for _ in range(chance.randrange(1, 30)):
        at = chance.randrange(1, len(told))
        stream, fact = told[at]
        match chance.randrange(4):
            case 0:
                del told[at]
            case 1:
                told.insert(chance.randrange(1, len(told)), (stream, fact))
            case 2:
                other = chance.randrange(1, len(told))
                told[at], told[other] = told[other], told[at]
            case _:
                names = [n for n in words if hasattr(fact, n) and words[n]]
                for name in names:
                    word = chance.choice(words[name])
                    told[at] = stream, new(fact, **{name: word})
    check_log(corrupt.renumbered(told))


def test_every_sentence_is_whole_and_used() -> None:
    assert {invariant for invariant, _, _ in WRONG.values()} == set(INVARIANTS)
    source = "".join(path.read_text("utf-8") for path in corrupt.CHECKING.glob("*.py"))
    for what in WRONG:
        assert f'"{what}"' in source, f"Nobody says {what}."
